// Running sums along the middle axis of (outer, count, inner).
#include "teams.cuh"

struct Scan {
  T* out;
  const T* x;
  int64 lines, count, inner;
};

KERNEL(cumsum, Scan, 256) {
  const int64 line = team_line();
  if (line >= a.lines) return;
  const int64 start = line_start(line, a.count, a.inner);
  Wide<T> carry = number<Wide<T>>(0);
  for (int64 turn = 0; turn < a.count; turn += blockDim.x) {
    const int64 i = turn + threadIdx.x;
    const int64 at = start + i * a.inner;
    Wide<T> sum = i < a.count ? widen(a.x[at]) : number<Wide<T>>(0);
    if (blockDim.x == 1) {
      carry = sum = plus(carry, sum);
    } else {
      // W. D. Hillis, G. L. Steele, Data parallel algorithms, CACM 29 (1986).
      for (int lanes = 1; lanes < 32; lanes *= 2) {
        Wide<T> before = shown_below(sum, lanes);
        if ((int)threadIdx.x >= lanes) sum = plus(before, sum);
      }
      sum = plus(carry, sum);
      carry = shown_by(sum, 31);
    }
    if (i < a.count) a.out[at] = narrow<T>(sum);
  }
}
