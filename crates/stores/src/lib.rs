//! The journal, outputs, archive and catalog on real storage.
