// Reductions: one element from all along a line. A fold says how elements enter its state, how two
// states join, and what leaves; sums of halves are kept in float.
#include "functions.cuh"
#include "teams.cuh"

// Lines are walked by `kept`, the elements of a line by `along`. With parts, block row p takes the
// elements from p * span on, and `out` gets states, which `_join` brings together.
struct Reduction {
  void* out;
  const T* x;
  int64 lines, count, span;
  int64 parts;
  Walk<8> kept, along;
};

struct Joining {
  void* out;
  const void* states;
  int64 lines, count, parts;
};

template <class Fold>
__device__ void reduce(const Reduction& a) {
  typedef typename Fold::State State;
  const int64 line = team_line();
  if (line >= a.lines) return;
  const T* x = a.x + a.kept.place(line);
  const int64 begin = blockIdx.y * a.span;
  const int64 end = begin + a.span < a.count ? begin + a.span : a.count;
  Wide<T> first = begin < end ? widen(x[a.along.place(begin)]) : number<Wide<T>>(0);
  State state = Fold::start(Fold::lift(first, begin));

  constexpr int N = 16 / sizeof(T);
  int64 i = begin;
  if (blockDim.x > 1 && a.along.rank == 1 && a.along.strides[0] == 1 && aligned(x + begin, 16)) {
    const int64 packs = (end - begin) / N;
    for (int64 k = threadIdx.x; k < packs; k += blockDim.x) {
      Pack<T, N> pack = ((const Pack<T, N>*)(x + begin))[k];
#pragma unroll
      for (int j = 0; j < N; ++j)
        state = Fold::join(state, Fold::lift(widen(pack.at[j]), begin + k * N + j));
    }
    i += packs * N;
  }
  for (i += threadIdx.x; i < end; i += blockDim.x)
    state = Fold::join(state, Fold::lift(widen(x[a.along.place(i)]), i));

  state = team_join<Fold>(state);
  if (threadIdx.x) return;
  if (a.parts > 1) ((State*)a.out)[line * a.parts + blockIdx.y] = state;
  else ((typename Fold::Out*)a.out)[line] = Fold::leave(state, a.count);
}

template <class Fold>
__device__ void join(const Joining& a) {
  typedef typename Fold::State State;
  const int64 line = team_line();
  if (line >= a.lines) return;
  const State* states = (const State*)a.states + line * a.parts;
  State state = Fold::start(states[0]);
#pragma unroll 1
  for (int64 i = threadIdx.x; i < a.parts; i += blockDim.x) state = Fold::join(state, states[i]);
  state = team_join<Fold>(state);
  if (threadIdx.x == 0) ((typename Fold::Out*)a.out)[line] = Fold::leave(state, a.count);
}

// folds ------------------------------------------------------------------------------------------

struct Same {
  typedef Wide<T> State;
  typedef T Out;
  __device__ static State lift(Wide<T> x, int64) { return x; }
  __device__ static State start(State first) { return first; }
  __device__ static Out leave(State state, int64) { return narrow<T>(state); }
};
struct Sum : Same {
  __device__ static State start(State) { return number<State>(0); }
  __device__ static State join(State x, State y) { return plus(x, y); }
};
struct Mean : Sum {
  __device__ static Out leave(State state, int64 count) {
    return narrow<T>(shared_by(state, count));
  }
  template <class F>
  __device__ static F shared_by(F x, int64 count) {
    return x / (F)count;
  }
  template <class R>
  __device__ static complex<R> shared_by(complex<R> x, int64 count) {
    return {x.real / (R)count, x.imag / (R)count};
  }
};
struct Product : Same {
  __device__ static State start(State) { return number<State>(1); }
  __device__ static State join(State x, State y) { return times(x, y); }
};
// Templates: complex numbers have no order, and no such reduction.
struct Largest : Same {
  template <class S>
  __device__ static S join(S x, S y) {
    return larger(x, y);
  }
};
struct Smallest : Same {
  template <class S>
  __device__ static S join(S x, S y) {
    return smaller(x, y);
  }
};

struct Any {
  typedef int State;
  typedef bool Out;
  __device__ static State lift(Wide<T> x, int64) { return truth(x); }
  __device__ static State start(State) { return 0; }
  __device__ static State join(State x, State y) { return x | y; }
  __device__ static Out leave(State state, int64) { return state; }
};
struct All : Any {
  __device__ static State start(State) { return 1; }
  __device__ static State join(State x, State y) { return x & y; }
};

// An element and where it is. A NaN goes before all numbers; of equals the first one.
struct Place {
  Wide<T> value;
  int64 index;
};
template <class Better>
struct Position {
  typedef Place State;
  typedef int64 Out;
  __device__ static State lift(Wide<T> x, int64 i) { return {x, i}; }
  __device__ static State start(State first) { return first; }
  __device__ static State join(State x, State y) {
    bool before = x.index < y.index;
    if (is_nan(x.value) || is_nan(y.value))
      return is_nan(x.value) && (before || !is_nan(y.value)) ? x : y;
    if (x.value == y.value) return before ? x : y;
    return Better::than(x.value, y.value) ? x : y;
  }
  __device__ static Out leave(State state, int64) { return state.index; }
};
struct Greater {
  template <class S>
  __device__ static bool than(S x, S y) {
    return x > y;
  }
};
struct Less {
  template <class S>
  __device__ static bool than(S x, S y) {
    return x < y;
  }
};

#define REDUCTION(name, ...)                                      \
  KERNEL(name, Reduction, 256) { reduce<__VA_ARGS__>(a); }        \
  KERNEL(name##_join, Joining, 256) { join<__VA_ARGS__>(a); }
