// The mean of each window, and its derivative; of floats.
#include "windows.cuh"

__device__ inline int least(int x, int y) { return x < y ? x : y; }
__device__ inline int most(int x, int y) { return x > y ? x : y; }

// How many elements along one axis count in the window of that number.
__device__ inline int extent(const Windows& a, int k, int window) {
  int size = (int)a.sizes[k].size, first = window * a.stride[k] - a.padding[k];
  // The last window may hang over the end even of the padding.
  int last = least(first + a.kernel[k], size + a.padding[k]);
  return a.include_padding ? last - first : least(last, size) - most(first, 0);
}

__device__ inline Wide<T> divisor(const Windows& a, int z, int y, int x) {
  if (a.divisor != 0) return (Wide<T>)a.divisor;
  return (Wide<T>)((int64)extent(a, 0, z) * extent(a, 1, y) * extent(a, 2, x));
}

KERNEL(avg_pool, Windows, 256) {
  FOR_EACH(i, a.count) {
    int at[3], first[3], last[3];
    const T* in = split(a, i, a.outs, at);
    for (int k = 0; k < 3; ++k) {
      first[k] = at[k] * a.stride[k] - a.padding[k];
      last[k] = least(first[k] + a.kernel[k], (int)a.sizes[k].size);
      first[k] = most(first[k], 0);
    }
    Wide<T> total = 0;
    for (int z = first[0]; z < last[0]; ++z)
      for (int y = first[1]; y < last[1]; ++y)
        for (int x = first[2]; x < last[2]; ++x)
          total += widen(in[z * a.strides[2] + y * a.strides[3] + x * a.strides[4]]);
    ((T*)a.out)[i] = narrow<T>(total / divisor(a, at[0], at[1], at[2]));
  }
}

// What each window gives to every element that it sees, in C order, where windows count differently.
KERNEL(shares, Windows, 256) {
  FOR_EACH(i, a.count) {
    int at[3];
    const T* in = split(a, i, a.outs, at);
    Wide<T> g = widen(in[at[0] * a.strides[2] + at[1] * a.strides[3] + at[2] * a.strides[4]]);
    ((Wide<T>*)a.out)[i] = g / divisor(a, at[0], at[1], at[2]);
  }
}

// Each element of the input adds up what the windows that see it give, and divides by what is the
// same for all: `out` is of the pooled array's sizes. Nothing is added by two threads.
template <class G>
__device__ inline void gather_shares(const Windows& a) {
  FOR_EACH(i, a.count) {
    int at[3], first[3], last[3];
    const G* in = (const G*)a.in + (split(a, i, a.sizes, at) - (const T*)a.in);
    for (int k = 0; k < 3; ++k) {
      int reach = at[k] + a.padding[k];
      first[k] = reach < a.kernel[k] ? 0 : (reach - a.kernel[k]) / a.stride[k] + 1;
      last[k] = least(reach / a.stride[k] + 1, (int)a.outs[k].size);
    }
    Wide<T> total = 0;
    for (int z = first[0]; z < last[0]; ++z)
      for (int y = first[1]; y < last[1]; ++y)
        for (int x = first[2]; x < last[2]; ++x)
          total += widen(in[z * a.strides[2] + y * a.strides[3] + x * a.strides[4]]);
    ((T*)a.out)[i] = narrow<T>(total / (Wide<T>)a.divisor);
  }
}

KERNEL(backward, Windows, 256) { gather_shares<T>(a); }
KERNEL(backward_of_shares, Windows, 256) { gather_shares<Wide<T>>(a); }
