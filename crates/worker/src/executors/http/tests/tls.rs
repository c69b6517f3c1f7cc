//! A server with a certificate that the machine does not know. The files beside were made by
//! `openssl` for these tests alone, and are worth nothing: everybody has the key.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use model::outcome::Unreached;
use model::work::http::Tls;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{failure, get, go_in};
use crate::executors::http::{Failure, HttpRequest};

/// Serves one answer after the other over TLS. Gives back its URL.
fn serve() -> String {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, stream.unwrap());
            // Who does not believe it hangs up.
            let mut head = [0; 4096];
            if std::io::Read::read(&mut stream, &mut head).is_ok_and(|count| count > 0) {
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";
                let _ = stream.write_all(answer).and_then(|()| stream.flush());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    url
}

#[test]
fn a_server_is_believed_whose_authority_is_trusted() {
    let url = serve();
    assert_eq!(failure(&get(url.as_str())), Failure::Unreachable(Unreached::Insecure));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ours.pem"), include_bytes!("authority.pem")).unwrap();
    let with = |tls: Tls| {
        let request = HttpRequest { tls, ..get(url.as_str()) };
        go_in(folder.path().to_owned(), &request).ended.map(|outputs| outputs["body"].clone())
    };
    let authorities = |file: &str| Tls { authorities: Some(file.to_owned()), is_insecure: false };
    assert_eq!(with(authorities("ours.pem")).unwrap(), "hi");
    let missing = with(authorities("no.pem")).unwrap_err();
    assert_eq!(missing.failure, Failure::Render);
    assert_eq!(with(Tls { authorities: None, is_insecure: true }).unwrap(), "hi");
}
