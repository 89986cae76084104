// Elements by position. T is any type of the elements' size.
//
// Axes of the result are of two kinds: along one, the array is walked by its own stride; along the
// others, tensors of positions are walked, which say where along further axes of the array to go.
// INDEXING(count) makes the kernels for so many tensors.
#include "axes.cuh"

template <int COUNT>
struct Positions {
  const int64* of[COUNT];
  int64 size[COUNT];    // of the axis that they count along
  int64 stride[COUNT];  // of that axis, in elements
  int64 negative;       // whether positions below 0 count from the end
  int64* wrong;         // the host's: the call that met a position outside, that one, which tensor
  int64 call;

  // Adds to the place what the positions say; false if one lies outside.
  __device__ bool follow(const int64* at, int64& place) const {
    for (int k = 0; k < COUNT; ++k) {
      int64 given = of[k][at[k]];
      int64 position = given < 0 && negative ? given + size[k] : given;
      if ((uint64)position >= (uint64)size[k]) {
        if (!*(volatile int64*)wrong) {
          wrong[1] = given;
          wrong[2] = k;
          *(volatile int64*)wrong = call;
        }
        return false;
      }
      place += position * stride[k];
    }
    return true;
  }
};

template <int COUNT>
struct Chosen {
  void* chosen;  // where elements are read from, or written to
  void* others;  // the result, or the values to write
  int64 count;
  Positions<COUNT> positions;
  Axes<2 + COUNT> axes;  // of the array, of the others, of the tensors of positions
};

template <int COUNT>
__device__ inline bool locate(const Chosen<COUNT>& a, int64 i, int64& place, int64& other) {
  int64 at[2 + COUNT];
  a.axes.places(i, at);
  place = at[0];
  other = at[1];
  return a.positions.follow(at + 2, place);
}

// `locations` only says where to go, -1 for outside.
#define INDEXING(COUNT)                                                                 \
  KERNEL(take, Chosen<COUNT>, 256) {                                                    \
    FOR_EACH(i, a.count) {                                                              \
      int64 place, other;                                                               \
      if (locate(a, i, place, other)) ((T*)a.others)[other] = ((const T*)a.chosen)[place]; \
    }                                                                                   \
  }                                                                                     \
  KERNEL(put, Chosen<COUNT>, 256) {                                                     \
    FOR_EACH(i, a.count) {                                                              \
      int64 place, other;                                                               \
      if (locate(a, i, place, other)) ((T*)a.chosen)[place] = ((const T*)a.others)[other]; \
    }                                                                                   \
  }                                                                                     \
  KERNEL(locations, Chosen<COUNT>, 256) {                                               \
    FOR_EACH(i, a.count) {                                                              \
      int64 place, other;                                                               \
      ((int64*)a.others)[i] = locate(a, i, place, other) ? place : -1;                  \
    }                                                                                   \
  }
