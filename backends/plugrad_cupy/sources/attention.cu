// Attention without the matrix of scores in memory: keys and values are taken a tile at a time, and
// what was summed before is scaled to the largest score so far.
// M. Milakov, N. Gimelshein, Online normalizer calculation for softmax, arXiv 1805.02867;
// T. Dao et al., FlashAttention, arXiv 2205.14135.
//
// A warp has ROWS queries, its lanes are the keys of a tile: lane j of scores[r] is how well key j
// fits query r. For the values its lanes are the columns.
#include "teams.cuh"

typedef Wide<T> A;

constexpr int TILE = 32;    // keys at a time, and elements of a query or key at a time
constexpr int WARPS = 8;    // in a block
constexpr int ROWS = 4;     // queries of a warp
constexpr int COLUMNS = 4;  // of a value, for each lane: a block sums 128
constexpr int AXES = 4;     // of batches and heads, that do not merge

struct Attention {
  T* out;          // (..., L, V) in C order
  const T* query;  // (..., L, E)
  const T* key;    // (..., S, E)
  const T* value;  // (..., S, V)
  const void* mask;  // (..., L, S), bool or T, or null
  const T* kept;     // (..., L, S) or null
  int64 L, S, E, V;
  int64 tiles;             // of queries
  int64 sizes[AXES];       // of batches and heads
  int64 leads[AXES][5];    // their strides: query, key, value, mask, kept
  int64 steps[5][2];       // strides of the last two axes
  double scale;
  int causal;
  int truth;  // whether the mask is of bools
};

struct Larger {
  __device__ static A join(A x, A y) { return larger(x, y); }
};

template <class Fold>
__device__ inline A warp_join(A mine) {
#pragma unroll
  for (int lanes = 16; lanes; lanes /= 2) mine = Fold::join(mine, exchanged(mine, lanes));
  return mine;
}

// Rows of a matrix from `first` on, a square of them, into shared memory; 0 past the ends.
__device__ inline void fetch(A (*tile)[TILE + 1], const T* x, const int64* steps, int64 first,
                             int64 rows, int64 column, int64 columns) {
  // Unrolled further, as the compiler would, the kernel takes 198 registers: two blocks do not fit a
  // multiprocessor with more than 128.
#pragma unroll 2
  for (int i = threadIdx.x; i < TILE * TILE; i += WARPS * 32) {
    const int64 row = first + i / TILE, at = column + i % TILE;
    const bool inside = row < rows && at < columns;
    tile[i / TILE][i % TILE] = inside ? widen(x[row * steps[0] + at * steps[1]]) : (A)0;
  }
}

KERNEL_OF(attention, Attention, 256, sizeof(A) == 4 ? 2 : 1) {
  __shared__ A queries[WARPS * ROWS][TILE + 1];
  __shared__ A keys[TILE][TILE + 1];
  static_assert(WARPS * ROWS == TILE, "a block's queries are a tile");

  int64 starts[5] = {};
  int64 rest = blockIdx.x / a.tiles;
  const int64 lead = rest;
  for (int k = AXES - 1; k >= 0; --k) {
    for (int x = 0; x < 5; ++x) starts[x] += rest % a.sizes[k] * a.leads[k][x];
    rest /= a.sizes[k];
  }
  const int64 first_row = blockIdx.x % a.tiles * TILE;
  const int64 first_column = blockIdx.z * (int64)(COLUMNS * 32);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int64 row = first_row + warp * ROWS;

  A top[ROWS], total[ROWS], sums[ROWS][COLUMNS] = {};
  for (int r = 0; r < ROWS; ++r) top[r] = (A)-infinity(), total[r] = 0;

  const int64 last = a.causal && first_row + TILE < a.S ? first_row + TILE : a.S;
  for (int64 first = 0; first < last; first += TILE) {
    A scores[ROWS] = {};
    for (int64 e = 0; e < a.E; e += TILE) {
      __syncthreads();
      fetch(queries, a.query + starts[0], a.steps[0], first_row, a.L, e, a.E);
      fetch(keys, a.key + starts[1], a.steps[1], first, a.S, e, a.E);
      __syncthreads();
#pragma unroll 8
      for (int k = 0; k < TILE; ++k) {
        const A key = keys[lane][k];
#pragma unroll
        for (int r = 0; r < ROWS; ++r) scores[r] += queries[warp * ROWS + r][k] * key;
      }
    }

    const int64 j = first + lane;
    A weights[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const bool exists = row + r < a.L && j < a.S;
      bool open = exists && !(a.causal && j > row + r);
      A score = scores[r] * (A)a.scale;
      if (a.mask && exists) {
        const int64 at = starts[3] + (row + r) * a.steps[3][0] + j * a.steps[3][1];
        if (a.truth) open = open && ((const bool*)a.mask)[at];
        else score += widen(((const T*)a.mask)[at]);
      }
      if (!open) score = (A)-infinity();
      const A peak = larger(top[r], warp_join<Larger>(score));
      const bool blind = peak == (A)-infinity();  // nothing to see so far
      const A weight = blind ? (A)0 : exp(score - peak);
      const A fade = blind ? (A)1 : exp(top[r] - peak);
      total[r] = total[r] * fade + warp_join<Adding>(weight);
      top[r] = peak;
      weights[r] = weight;
      if (a.kept && exists)
        weights[r] *= widen(a.kept[starts[4] + (row + r) * a.steps[4][0] + j * a.steps[4][1]]);
      for (int c = 0; c < COLUMNS; ++c) sums[r][c] *= fade;
    }

    const int count = a.S - first < TILE ? (int)(a.S - first) : TILE;
    for (int k = 0; k < count; ++k) {
      const T* value = a.value + starts[2] + (first + k) * a.steps[2][0];
      A weight[ROWS];
#pragma unroll
      for (int r = 0; r < ROWS; ++r) weight[r] = shown_by(weights[r], k);
#pragma unroll
      for (int c = 0; c < COLUMNS; ++c) {
        const int64 column = first_column + c * 32 + lane;
        const A v = column < a.V ? widen(value[column * a.steps[2][1]]) : (A)0;
#pragma unroll
        for (int r = 0; r < ROWS; ++r) sums[r][c] += weight[r] * v;
      }
    }
  }

#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) {
      const int64 column = first_column + c * 32 + lane;
      if (row + r < a.L && column < a.V)
        a.out[(lead * a.L + row + r) * a.V + column] =
            narrow<T>(total[r] == 0 ? (A)0 : sums[r][c] / total[r]);
    }
  }
}
