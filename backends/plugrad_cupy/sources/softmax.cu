// Softmax and its logarithm along the middle axis of (outer, count, inner), and their derivatives.
#include "peaks.cuh"

struct Softmax {
  T* out;
  const T* x;  // backward: the result
  const T* g;
  int64 lines, count, inner;
};

template <bool LOGARITHM>
__device__ void forward(const Softmax& a) {
  const int64 line = team_line();
  if (line >= a.lines) return;
  const int64 start = line_start(line, a.count, a.inner);
  const Peak peak = peak_of(a.x + start, a.count, a.inner);
  const A scale = 1 / peak.sum, shift = log(peak.sum);
  for (int64 i = threadIdx.x; i < a.count; i += blockDim.x) {
    const int64 at = start + i * a.inner;
    const A x = widen(a.x[at]) - peak.largest;
    a.out[at] = narrow<T>(LOGARITHM ? x - shift : exp(x) * scale);
  }
}

template <bool LOGARITHM>
__device__ void backward(const Softmax& a) {
  const int64 line = team_line();
  if (line >= a.lines) return;
  const int64 start = line_start(line, a.count, a.inner);
  A sum = 0;
  for (int64 i = threadIdx.x; i < a.count; i += blockDim.x) {
    const int64 at = start + i * a.inner;
    sum += LOGARITHM ? widen(a.g[at]) : widen(a.g[at]) * widen(a.x[at]);
  }
  sum = team_join<Adding>(sum);
  for (int64 i = threadIdx.x; i < a.count; i += blockDim.x) {
    const int64 at = start + i * a.inner;
    const A g = widen(a.g[at]), out = widen(a.x[at]);
    a.out[at] = narrow<T>(LOGARITHM ? g - exp(out) * sum : out * (g - sum));
  }
}

KERNEL(softmax, Softmax, 256) { forward<false>(a); }
KERNEL(log_softmax, Softmax, 256) { forward<true>(a); }
KERNEL(softmax_backward, Softmax, 256) { backward<false>(a); }
KERNEL(log_softmax_backward, Softmax, 256) { backward<true>(a); }
