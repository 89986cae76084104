// Values collected at places, several at one: added up, or multiplied, always in the same order, so
// that two runs agree to the last bit. The places come sorted, and the values of each place are
// taken by one thread. T is the elements' type.
#include "axes.cuh"

struct Runs {
  void* out;
  const void* values;
  const int64* places;  // of each value or slice, in elements of out; below 0: none
  const int64* order;   // sorts them
  int64 count;          // of places
  Size width;           // of a slice
  Axes<1> outer;        // of the values, along `places`
  Axes<2> inner;        // of out, and of the values, along a slice
};

template <bool PRODUCT>
__device__ inline void collect(const Runs& a) {
  FOR_EACH(i, a.count * a.width.size) {
    int64 inside = i, first = a.width.cut(inside), place = a.places[a.order[first]], at[2], start;
    if (place < 0 || (first && a.places[a.order[first - 1]] == place)) continue;
    a.inner.places(inside, at);
    T* target = (T*)a.out + place + at[0];
    Wide<T> total = widen(*target);
    for (int64 j = first; j < a.count && a.places[a.order[j]] == place; ++j) {
      a.outer.places(a.order[j], &start);
      Wide<T> value = widen(((const T*)a.values)[start + at[1]]);
      total = PRODUCT ? times(total, value) : plus(total, value);
    }
    *target = narrow<T>(total);
  }
}

KERNEL(add, Runs, 256) { collect<false>(a); }
KERNEL(multiply, Runs, 256) { collect<true>(a); }
