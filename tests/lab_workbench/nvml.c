/* A stand-in for NVIDIA's libnvidia-ml.so.1, for tests only. Its GPUs are the device files that DIRECTORY/devices names and
 * that the caller may open: the real device cgroup decides, as with the real driver. DIRECTORY/state has lines
 * "index utilization used_MiB", read at each call; DIRECTORY/error a code that initialising fails with. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#ifndef DIRECTORY
#define DIRECTORY "/etc/lab-nvml"
#endif
#define MAX 16
#define TOTAL (80ULL << 30)
typedef int nvmlReturn_t;
typedef struct device { unsigned index; } *nvmlDevice_t;
enum { OK = 0, E_ARGUMENT = 2, E_UNSUPPORTED = 3, E_NOT_LOADED = 9 };
static struct device devices[MAX];
static unsigned count;
nvmlReturn_t nvmlInitWithFlags(unsigned flags) {
  char path[256];
  int code;
  FILE *file = fopen(DIRECTORY "/error", "r");
  (void)flags;
  if (file) {
    int found = fscanf(file, "%d", &code);
    fclose(file);
    if (found == 1) return code;
  }
  count = 0;
  if (!(file = fopen(DIRECTORY "/devices", "r"))) return E_NOT_LOADED;
  while (count < MAX && fscanf(file, "%255s", path) == 1) {
    int opened = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (opened < 0 && errno == EPERM) continue;
    if (opened >= 0) close(opened);
    devices[count].index = count;
    count++;
  }
  fclose(file);
  return OK;
}
nvmlReturn_t nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
nvmlReturn_t nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(nvmlReturn_t code) { return code == E_NOT_LOADED ? "Driver Not Loaded" : "Error of the stand-in"; }
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *found) { *found = count; return OK; }
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
  if (index >= count) return E_ARGUMENT;
  *device = &devices[index];
  return OK;
}
nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *now, unsigned *next) {
  (void)device; (void)now; (void)next;
  return E_UNSUPPORTED;
}
static void state(unsigned index, unsigned *busy, unsigned long long *used) {
  unsigned which, percent;
  unsigned long long mebibytes;
  FILE *file = fopen(DIRECTORY "/state", "r");
  *busy = 0;
  *used = 0;
  if (!file) return;
  while (fscanf(file, "%u %u %llu", &which, &percent, &mebibytes) == 3)
    if (which == index) { *busy = percent; *used = mebibytes << 20; }
  fclose(file);
}
struct utilization { unsigned gpu, memory; };
nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, struct utilization *rates) {
  unsigned long long used;
  state(device->index, &rates->gpu, &used);
  rates->memory = (unsigned)(used * 100 / TOTAL);
  return OK;
}
struct memory { unsigned long long total, free, used; };
nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, struct memory *memory) {
  unsigned busy;
  state(device->index, &busy, &memory->used);
  memory->total = TOTAL;
  memory->free = TOTAL - memory->used;
  return OK;
}
nvmlReturn_t nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t device, unsigned *value) { (void)device; *value = 5; return OK; }
nvmlReturn_t nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t device, unsigned *value) { (void)device; *value = 16; return OK; }
nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, unsigned counter, unsigned *value) {
  *value = 100000 * (device->index + 1) + counter;
  return OK;
}
nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned link, unsigned *version) {
  (void)device; (void)link;
  *version = 4;
  return OK;
}
struct field { uint32_t id, scope; int64_t when, latency; uint32_t type; int32_t code; unsigned long long value; };
nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int number, struct field *fields) {
  for (int at = 0; at < number; at++) {
    fields[at].code = OK;
    fields[at].type = 3;
    fields[at].value = 1000ULL * (device->index + 1) * (unsigned long long)time(NULL);
  }
  return OK;
}
