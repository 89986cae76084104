// CUDA C on the CPU, as far as plugrad's kernels use it: a kernel becomes a function that runs its
// grid block by block, and a block's threads as fibers of one thread.
//
// A fiber runs until its thread waits: at __syncthreads for the block, at a shuffle for the warp.
// A block that never waits runs in one fiber. Threads that wait for each other at different
// barriers end the process with a message. Races and memory order are not seen here.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __device__
#define __shared__ static

struct Index {
  unsigned x, y, z;
};
static Index threadIdx, blockIdx, blockDim, gridDim;

namespace shim {

constexpr unsigned MOST_THREADS = 1024, WARP = 32, STACK = 1 << 16;

struct Barrier {
  unsigned expected, arrived, generation;
};

struct Fiber {
  jmp_buf place;
  char* stack;
  Index thread;
  bool finished;
};

static void (*body)(const void*);
static const void* arguments;
static Fiber fibers[MOST_THREADS];
static Barrier block, warps[MOST_THREADS / WARP];
// What each thread shows to its warp: at even and at odd shuffles, so that one wait does for both
// writing and reading.
static unsigned long long lanes[2][MOST_THREADS];
static Fiber* current;
static jmp_buf scheduler;
static unsigned started, steps;

inline void fail(const char* problem) {
  fprintf(stderr, "cuda shim: %s\n", problem);
  abort();
}

inline unsigned threads() {
  return blockDim.x * blockDim.y * blockDim.z;
}

inline unsigned linear() {
  return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

inline void release(Barrier& barrier) {
  if (barrier.arrived < barrier.expected || !barrier.arrived) return;
  barrier.arrived = 0;
  ++barrier.generation;
  ++steps;
}

// Not swapcontext, which calls the kernel of the operating system: a jump is fifty times as fast.
inline void wait(Barrier& barrier) {
  const unsigned generation = barrier.generation;
  ++barrier.arrived;
  release(barrier);
  while (barrier.generation == generation) {
    current->thread = threadIdx;
    if (!_setjmp(current->place)) _longjmp(scheduler, 1);
    threadIdx = current->thread;
  }
}

// One fiber takes up threads, one after the other, until one of them has to wait.
inline void work() {
  while (started < threads()) {
    const unsigned next = started++;
    threadIdx = {next % blockDim.x, next / blockDim.x % blockDim.y, next / blockDim.x / blockDim.y};
    body(arguments);
    ++steps;
    --block.expected;
    release(block);
    Barrier& warp = warps[linear() / WARP];
    --warp.expected;
    release(warp);
  }
  current->finished = true;
  _longjmp(scheduler, 1);
}

inline void start(Fiber& fiber) {
  current = &fiber;
  if (!fiber.stack) fiber.stack = (char*)malloc(STACK);
  fiber.finished = false;
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fiber.stack;
  context.uc_stack.ss_size = STACK;
  makecontext(&context, work, 0);
  if (!_setjmp(scheduler)) setcontext(&context);
}

inline void resume(Fiber& fiber) {
  current = &fiber;
  if (!_setjmp(scheduler)) _longjmp(fiber.place, 1);
}

inline void run_block() {
  static unsigned used, before, i;
  static bool alive;
  started = used = 0;
  block = {threads(), 0, 0};
  for (i = 0; i < threads(); i += WARP)
    warps[i / WARP] = {threads() - i < WARP ? threads() - i : WARP, 0, 0};
  while (true) {
    before = steps;
    alive = false;
    for (i = 0; i < used; ++i)
      if (!fibers[i].finished) alive = true, resume(fibers[i]);
    if (started < threads()) start(fibers[used++]);
    else if (!alive) return;
    else if (steps == before) fail("threads of a block wait for each other at different barriers");
  }
}

inline void run(void (*thread)(const void*), const void* its_arguments, const unsigned* shape,
                unsigned most) {
  gridDim = {shape[0], shape[1], shape[2]};
  blockDim = {shape[3], shape[4], shape[5]};
  if (threads() > most) fail("more threads in a block than the kernel's launch bound");
  body = thread;
  arguments = its_arguments;
  for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x) run_block();
}

template <class T>
T exchange(T value, unsigned lane) {
  static_assert(sizeof(T) <= sizeof(unsigned long long), "");
  const unsigned me = linear(), first = me / WARP * WARP;
  Barrier& warp = warps[me / WARP];
  unsigned long long* shown = lanes[warp.generation % 2];
  memcpy(&shown[me], &value, sizeof(T));
  wait(warp);
  memcpy(&value, &shown[first + lane % WARP], sizeof(T));
  return value;
}

}  // namespace shim

inline void __syncthreads() {
  shim::wait(shim::block);
}
inline void __syncwarp() {
  shim::wait(shim::warps[shim::linear() / 32]);
}
template <class T>
T __shfl_sync(unsigned, T value, int lane) {
  return shim::exchange(value, lane);
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int lanes) {
  return shim::exchange(value, shim::linear() % 32 ^ lanes);
}
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned lanes) {
  unsigned me = shim::linear() % 32;
  return shim::exchange(value, me < lanes ? me : me - lanes);
}

inline unsigned __umulhi(unsigned x, unsigned y) {
  return (unsigned long long)x * y >> 32;
}
inline float __uint_as_float(unsigned x) {
  float out;
  memcpy(&out, &x, 4);
  return out;
}
inline unsigned __float_as_uint(float x) {
  unsigned out;
  memcpy(&out, &x, 4);
  return out;
}
inline float float_of_half(unsigned short bits) {
  _Float16 half;
  memcpy(&half, &bits, 2);
  return half;
}
inline unsigned short half_of_float(float x) {
  _Float16 half = x;
  unsigned short bits;
  memcpy(&bits, &half, 2);
  return bits;
}
inline float rsqrt(float x) {
  return 1 / sqrtf(x);
}
inline double rsqrt(double x) {
  return 1 / sqrt(x);
}

#define KERNEL_OF(name, Arguments, threads, blocks)                                 \
  static void name##_thread(const Arguments& a);                                    \
  static void name##_body(const void* a) { name##_thread(*(const Arguments*)a); }   \
  extern "C" void name(const void* arguments, const unsigned* shape) {              \
    shim::run(name##_body, arguments, shape, threads);                              \
  }                                                                                 \
  static void name##_thread(const Arguments& a)
