/* A made-up libnvidia-ml: as much of it as the worker asks for, and no driver behind it.
 *
 * What it plays is set when it is compiled: INIT is what nvmlInit answers, COUNT how many devices
 * there are, CUT the one that is in MIG mode, PARTS its number of parts, LOST the one that cannot
 * be reached, FORBIDDEN the one that is for others, GATE the file without which counting the
 * devices does not come back (how often that is asked, and that all is over, stands in files beside
 * it), OLD a driver that lacks what came later. Devices are counted against the order of the bus,
 * which real drivers never do, so that nobody takes one order for the other. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef INIT
#define INIT 0
#endif
#ifndef COUNT
#define COUNT 2
#endif
#ifndef CUT
#define CUT -1
#endif
#ifndef PARTS
#define PARTS 2
#endif
#ifndef FORBIDDEN
#define FORBIDDEN -1
#endif
#ifndef LOST
#define LOST -1
#endif

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, GPU_LOST = 15 };
#define GIB (1ull << 30)
enum { SLOTS = 7 };

typedef struct device {
    int index;
    int part; /* -1: the whole */
} *nvmlDevice_t;

typedef struct {
    char legacy[16];
    unsigned int domain, bus, device, id, subsystem;
    char address[32];
} nvmlPciInfo_t;

typedef struct {
    unsigned int version;
    unsigned long long total, reserved, free, used;
} nvmlMemory_v2_t;

typedef struct {
    unsigned int gpu, memory;
} nvmlUtilization_t;

static struct device wholes[256];
static struct device parts[SLOTS];

int nvmlInit_v2(void) {
    for (int at = 0; at < 256; at++) wholes[at] = (struct device){at, -1};
    for (int at = 0; at < SLOTS; at++) parts[at] = (struct device){CUT, at};
    return INIT;
}

#ifdef GATE
static void say(const char *path) {
    FILE *file = fopen(path, "a");
    if (file) fputc('.', file), fclose(file);
}
#endif

int nvmlShutdown(void) {
#ifdef GATE
    say(GATE ".over");
#endif
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned int *count) {
#ifdef GATE
    say(GATE ".asked");
    while (access(GATE, F_OK) != 0) usleep(1000);
#endif
    *count = COUNT;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
    if ((int)index == LOST) return GPU_LOST;
    if ((int)index == FORBIDDEN) return NO_PERMISSION;
    if (index >= COUNT) return INVALID;
    *device = &wholes[index];
    return SUCCESS;
}

int nvmlDeviceGetUUID(nvmlDevice_t device, char *text, unsigned int size) {
    if (device->part < 0)
        snprintf(text, size, "GPU-%08x-0000-0000-0000-000000000000", 0xa0 + device->index);
    else
        snprintf(text, size, "MIG-%08x-0000-0000-0000-000000000000", 0xb0 + device->part);
    return SUCCESS;
}

int nvmlDeviceGetName(nvmlDevice_t device, char *text, unsigned int size) {
    const char *name = device->index % 2 ? "NVIDIA H100 80GB HBM3" : "NVIDIA A100-SXM4-80GB";
    if (device->part < 0)
        snprintf(text, size, "%s", name);
    else
        snprintf(text, size, "%s MIG %s", name, device->part ? "1g.10gb+me" : "3g.40gb");
    return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci) {
    if (device->part >= 0) return NOT_SUPPORTED;
    memset(pci, 0, sizeof *pci);
    pci->bus = 0xf0 - device->index;
    snprintf(pci->address, sizeof pci->address, "00000000:%02X:00.0", pci->bus);
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    if (device->part >= 0) return NOT_SUPPORTED;
    rates->gpu = 30 + device->index;
    rates->memory = 5;
    return SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *text, nvmlDevice_t *device) {
    char known[96];
    for (int at = 0; at < COUNT; at++) {
        nvmlDeviceGetUUID(&wholes[at], known, sizeof known);
        if (strcmp(known, text) == 0) return *device = &wholes[at], SUCCESS;
    }
    for (int at = 0; at < SLOTS; at++) {
        nvmlDeviceGetUUID(&parts[at], known, sizeof known);
        if (strcmp(known, text) == 0) return *device = &parts[at], SUCCESS;
    }
    return NOT_FOUND;
}

#ifndef OLD
int nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
    if (memory->version != (sizeof *memory | 2 << 24)) return INVALID;
    memory->total = device->part < 0 ? 80 * GIB : (device->part ? 10 : 40) * GIB;
    memory->used = device->part < 0 ? GIB : GIB / 2;
    memory->free = memory->total - memory->used;
    return SUCCESS;
}

int nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *now, unsigned int *next) {
    /* Odd ones are of a kind that cannot be cut. */
    if (device->index % 2) return NOT_SUPPORTED;
    *now = *next = device->index == CUT;
    return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count) {
    *count = device->index == CUT ? SLOTS : 0;
    return SUCCESS;
}

/* Every second slot is empty, as after some parts have been taken away. */
int nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t whole, unsigned int at, nvmlDevice_t *part) {
    if (whole->index != CUT || at >= SLOTS) return INVALID;
    if (at == SLOTS - 1) return NO_PERMISSION;
    if (at % 2 || at / 2 >= PARTS) return NOT_FOUND;
    *part = &parts[at];
    return SUCCESS;
}
#endif
