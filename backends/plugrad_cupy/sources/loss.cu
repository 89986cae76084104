// Cross entropy: of each line of scores along the middle axis of (outer, classes, inner) minus the
// logarithm of the softmax at the target's class, and the derivative.
#include "peaks.cuh"

struct CrossEntropy {
  T* out;             // forward: each line's loss, or null where sums are wanted; backward: as x
  A* losses;          // each line's loss and factor, where sums are wanted
  A* factors;
  const T* x;
  const int64* target;
  const T* weight;    // of each class, or null
  const T* g;         // backward: one for each line, or one for all
  const A* total;     // backward: what the mean divides by, or null
  int64 lines, classes, inner, ignored;
  int64 one_g;        // whether there is one g for all lines
  int64* wrong;       // the host's: the call that met a class that is not there, and that class
  int64 call;
};

// A line's class, and its factor: 0 where it is ignored, NaN where there is no such class.
struct Aim {
  int64 label;
  A factor;
  __device__ Aim(const CrossEntropy& a, int64 line) : label(a.target[line]), factor(0) {
    if (label == a.ignored) {
      label = 0;
    } else if ((uint64)label >= (uint64)a.classes) {
      if (a.wrong && !*(volatile int64*)a.wrong) {
        a.wrong[1] = label;
        a.wrong[2] = 0;
        *(volatile int64*)a.wrong = a.call;
      }
      label = 0;
      factor = not_a_number();
    } else {
      factor = a.weight ? widen(a.weight[label]) : (A)1;
    }
  }
};

KERNEL(cross_entropy, CrossEntropy, 256) {
  const int64 line = team_line();
  if (line >= a.lines) return;
  const T* x = a.x + line_start(line, a.classes, a.inner);
  const Peak peak = peak_of(x, a.classes, a.inner);
  if (threadIdx.x) return;
  const Aim aim(a, line);
  A loss = log(peak.sum) - (widen(x[aim.label * a.inner]) - peak.largest);
  loss = a.target[line] == a.ignored ? (A)0 : loss * aim.factor;
  if (a.out) a.out[line] = narrow<T>(loss);
  else a.losses[line] = loss, a.factors[line] = aim.factor;
}

// Each line's factor alone: what the mean divides by is their sum.
KERNEL(cross_entropy_factors, CrossEntropy, 256) {
  const int64 line = blockIdx.x * (int64)blockDim.x + threadIdx.x;
  if (line < a.lines) a.factors[line] = Aim(a, line).factor;
}

KERNEL(cross_entropy_backward, CrossEntropy, 256) {
  const int64 line = team_line();
  if (line >= a.lines) return;
  const int64 start = line_start(line, a.classes, a.inner);
  const Peak peak = peak_of(a.x + start, a.classes, a.inner);
  const Aim aim(a, line);
  A scale = widen(a.g[a.one_g ? 0 : line]) * aim.factor;
  if (a.total) scale /= *a.total;
  for (int64 i = threadIdx.x; i < a.classes; i += blockDim.x) {
    const int64 at = start + i * a.inner;
    const A share = exp(widen(a.x[at]) - peak.largest) / peak.sum;
    a.out[at] = narrow<T>((i == aim.label ? share - 1 : share) * scale);
  }
}

// Sums of losses and factors by one block: `out` the sum, or with `mean` the quotient.
struct Finish {
  void* out;
  const A* losses;   // or null: the factors' sum, as it is computed
  const A* factors;
  int64 lines, mean;
};

KERNEL(cross_entropy_finish, Finish, 256) {
  A losses = 0, factors = 0;
  for (int64 i = threadIdx.x; i < a.lines; i += blockDim.x) {
    if (a.losses) losses += a.losses[i];
    factors += a.factors[i];
  }
  losses = team_join<Adding>(losses);
  factors = team_join<Adding>(factors);
  if (threadIdx.x) return;
  if (a.losses) *(T*)a.out = narrow<T>(a.mean ? losses / factors : losses);
  else *(A*)a.out = factors;
}
