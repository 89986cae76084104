// The kernels of every operator that makes each element of its result from the elements at the same
// place. What an operator computes is one line of Python, see `plugrad_cupy/elementwise.py`; the
// lines come after this text, as
// OPERATOR(name, operands, result's type, first operand's type, (x, y, z), formula).
#include "functions.cuh"

// All operands lie in memory as the result does; or one number stands for all elements.
struct Dense {
  void* out;
  const void* in[3];
  int64 count;
  int single[3];  // 1 where an operand is one number
};

// Operands and result each have strides of their own, 0 where an axis is broadcast; those of the
// result are the last.
struct Strided {
  void* out;
  const void* in[3];
  int64 count;
  int rank;
  int small;  // whether every index and place stays below 2^31
  Divider sizes[8];
  int64 strides[8][4];
};

template <class Operator>
__device__ inline typename Operator::Result apply(
    typename Operator::First x, typename Operator::Rest y, typename Operator::Rest z) {
  return narrow<typename Operator::Result>(Operator::of(widen(x), widen(y), widen(z)));
}

template <class T>
__device__ inline T element(const void* from, int64 at) {
  return ((const T*)from)[at];
}

// The i-th N elements of an operand, or N times the one number that it is.
template <class T, int N>
__device__ inline Pack<T, N> pack(const void* from, int64 i, int single) {
  if (!single) return element<Pack<T, N>>(from, i);
  const T number = element<T>(from, 0);
  Pack<T, N> out;
#pragma unroll
  for (int j = 0; j < N; ++j) out.at[j] = number;
  return out;
}

// The i-th N elements of the result.
template <class Operator, int N>
__device__ inline void compute(const Dense& a, int64 i) {
  typedef typename Operator::Rest Rest;
  typedef Pack<typename Operator::Result, N> Out;
  const auto x = pack<typename Operator::First, N>(a.in[0], i, a.single[0]);
  Pack<Rest, N> y = {}, z = {};
  if (Operator::operands > 1) y = pack<Rest, N>(a.in[1], i, a.single[1]);
  if (Operator::operands > 2) z = pack<Rest, N>(a.in[2], i, a.single[2]);
  Out out;
#pragma unroll
  for (int j = 0; j < N; ++j) out.at[j] = apply<Operator>(x.at[j], y.at[j], z.at[j]);
  ((Out*)a.out)[i] = out;
}

template <class Operator>
__device__ void dense(const Dense& a) {
  typedef typename Operator::First First;
  typedef typename Operator::Rest Rest;
  typedef typename Operator::Result Result;
  constexpr int widest = sizeof(Rest) > sizeof(Result) ? sizeof(Rest) : sizeof(Result);
  constexpr int N = Traits<T>::PACK / (widest > sizeof(First) ? widest : sizeof(First));
  const int64 thread = blockIdx.x * (int64)blockDim.x + threadIdx.x;
  const int64 threads = (int64)gridDim.x * blockDim.x;

  bool whole = aligned(a.out, N * sizeof(Result));
  whole = whole && (a.single[0] || aligned(a.in[0], N * sizeof(First)));
  for (int k = 1; k < Operator::operands; ++k)
    whole = whole && (a.single[k] || aligned(a.in[k], N * sizeof(Rest)));
  const int64 packs = whole ? a.count / N : 0;
#pragma unroll 1
  for (int64 i = thread; i < packs; i += threads) compute<Operator, N>(a, i);
#pragma unroll 1
  for (int64 i = packs * N + thread; i < a.count; i += threads) compute<Operator, 1>(a, i);
}

template <class Operator>
__device__ void strided(const Strided& a) {
  typedef typename Operator::First First;
  typedef typename Operator::Rest Rest;
  constexpr int operands = Operator::operands;
  const int64 threads = (int64)gridDim.x * blockDim.x;
#pragma unroll 1
  for (int64 i = blockIdx.x * (int64)blockDim.x + threadIdx.x; i < a.count; i += threads) {
    int64 at[4] = {};
    if (a.small) {
      uint32 rest = (uint32)i;
      int places[4] = {};
#pragma unroll 1
      for (int k = a.rank - 1; k >= 0; --k) {
        uint32 above = k ? a.sizes[k].of(rest) : 0;
        int index = (int)(rest - above * a.sizes[k].size);
        for (int j = 0; j < 4; ++j) places[j] += index * (int)a.strides[k][j];
        rest = above;
      }
      for (int j = 0; j < 4; ++j) at[j] = places[j];
    } else {
      int64 rest = i;
#pragma unroll 1
      for (int k = a.rank - 1; k >= 0; --k) {
        int64 above = rest / a.sizes[k].size, index = rest - above * a.sizes[k].size;
        for (int j = 0; j < 4; ++j) at[j] += index * a.strides[k][j];
        rest = above;
      }
    }
    First x = element<First>(a.in[0], at[0]);
    Rest y = {}, z = {};
    if (operands > 1) y = element<Rest>(a.in[1], at[1]);
    if (operands > 2) z = element<Rest>(a.in[2], at[2]);
    ((typename Operator::Result*)a.out)[at[3]] = apply<Operator>(x, y, z);
  }
}

#define NAMES(...) __VA_ARGS__
#define PARAMETERS_(a, b, c) Wide<First> a, Wide<Rest> b, Wide<Rest> c
#define PARAMETERS(names) PARAMETERS_ names
#define OPERATOR(name, count, R, X, names, formula)                                  \
  struct name##_operator {                                                           \
    static constexpr int operands = count;                                           \
    typedef R Result;                                                                \
    typedef X First;                                                                 \
    typedef T Rest;                                                                  \
    __device__ static Wide<Result> of(PARAMETERS(names)) { return formula; }         \
  };                                                                                 \
  KERNEL(name##_dense, Dense, 256) { dense<name##_operator>(a); }                    \
  KERNEL(name##_strided, Strided, 256) { strided<name##_operator>(a); }
