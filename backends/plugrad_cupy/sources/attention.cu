// Attention without the matrix of scores in memory: keys and values are taken a tile at a time, and
// what was summed before is scaled to the largest score so far. The backward computes the scores
// again, once by queries and once by keys: each sum has one place and a fixed order.
// M. Milakov, N. Gimelshein, Online normalizer calculation for softmax, arXiv 1805.02867;
// T. Dao et al., FlashAttention, arXiv 2205.14135.
//
// A warp has ROWS lines, queries or keys; its lanes are the lines of a tile on the other side: lane
// j of scores[r] is how well line r fits line j. Where sums are formed the lanes are columns.
#include "teams.cuh"

typedef Wide<T> A;

constexpr int TILE = 32;    // lines of the other side at a time, and elements of a line at a time
constexpr int WARPS = 8;    // in a block
constexpr int ROWS = 4;     // lines of a warp
constexpr int COLUMNS = 4;  // of a sum, for each lane: a block sums 128
constexpr int AXES = 4;     // of batches and heads, that do not merge

enum Input { QUERY, KEY, VALUE, MASK, KEPT, TURN, RESULT, INPUTS };

struct Attention {
  T* out;          // (..., L, V) in C order, as all that is written
  T* for_query;    // (..., L, E)
  T* for_key;      // (..., S, E)
  T* for_value;    // (..., S, V)
  A* level;        // (..., L): the logarithm of the sum that divides a query's weights
  A* along;        // (..., L): the mean of the cotangents of its weights
  const T* query;  // (..., L, E)
  const T* key;    // (..., S, E)
  const T* value;  // (..., S, V)
  const void* mask;  // (..., L, S), bool or T, or null
  const T* kept;     // (..., L, S) or null
  const T* turn;     // (..., L, V): the cotangent of the result
  const T* result;   // (..., L, V)
  int64 L, S, E, V;
  int64 tiles;                 // of queries, or of keys
  int64 sizes[AXES];           // of batches and heads
  int64 leads[AXES][INPUTS];   // their strides
  int64 steps[INPUTS][2];      // strides of the last two axes
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

// Lines that lie somewhere in memory.
struct Matrix {
  const T* x;
  const int64* steps;
  int64 rows, columns;
};

// Where a thread is: its batch and head, the first line of its block and of its warp.
struct Place {
  int64 lead, first_of_block, first, first_column;
  int warp, lane;
  int64 starts[INPUTS];

  __device__ Place(const Attention& a) : starts() {
    int64 rest = lead = blockIdx.x / a.tiles;
    for (int k = AXES - 1; k >= 0; --k) {
      for (int x = 0; x < INPUTS; ++x) starts[x] += rest % a.sizes[k] * a.leads[k][x];
      rest /= a.sizes[k];
    }
    warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    first_of_block = blockIdx.x % a.tiles * TILE;
    first = first_of_block + warp * ROWS;
    first_column = blockIdx.z * (int64)(COLUMNS * 32);
  }
  __device__ Matrix queries(const Attention& a) const {
    return {a.query + starts[QUERY], a.steps[QUERY], a.L, a.E};
  }
  __device__ Matrix keys(const Attention& a) const {
    return {a.key + starts[KEY], a.steps[KEY], a.S, a.E};
  }
  __device__ Matrix values(const Attention& a) const {
    return {a.value + starts[VALUE], a.steps[VALUE], a.S, a.V};
  }
  __device__ Matrix turns(const Attention& a) const {
    return {a.turn + starts[TURN], a.steps[TURN], a.L, a.V};
  }
  // What masks make of a score; -inf where a query may not look.
  __device__ A masked(const Attention& a, A score, int64 query, int64 key) const {
    bool open = query < a.L && key < a.S && !(a.causal && key > query);
    if (open && a.mask) {
      const int64 at = starts[MASK] + query * a.steps[MASK][0] + key * a.steps[MASK][1];
      if (a.truth) open = ((const bool*)a.mask)[at];
      else score += widen(((const T*)a.mask)[at]);
    }
    return open ? score : (A)-infinity();
  }
  __device__ A thinned(const Attention& a, A weight, int64 query, int64 key) const {
    if (!a.kept || query >= a.L || key >= a.S) return weight;
    return weight * widen(a.kept[starts[KEPT] + query * a.steps[KEPT][0] + key * a.steps[KEPT][1]]);
  }
};

// A square of a matrix from a line and a column on, into shared memory; 0 past the ends.
__device__ inline void fetch(A (*tile)[TILE + 1], const Matrix& m, int64 first, int64 column) {
  // Unrolled further, as the compiler would, the kernel takes 198 registers: two blocks do not fit a
  // multiprocessor with more than 128.
#pragma unroll 2
  for (int i = threadIdx.x; i < TILE * TILE; i += WARPS * 32) {
    const int64 row = first + i / TILE, at = column + i % TILE;
    const bool inside = row < m.rows && at < m.columns;
    tile[i / TILE][i % TILE] = inside ? widen(m.x[row * m.steps[0] + at * m.steps[1]]) : (A)0;
  }
}

// The products of the warp's lines, the first of the block given, with the lane's of another matrix.
__device__ inline void fits(A (&out)[ROWS], const Matrix& mine, int64 first, const Matrix& theirs,
                            int64 other, int warp, int lane) {
  __shared__ A lines[WARPS * ROWS][TILE + 1];
  __shared__ A others[TILE][TILE + 1];
  static_assert(WARPS * ROWS == TILE, "a block's lines are a tile");
  for (int r = 0; r < ROWS; ++r) out[r] = 0;
  for (int64 column = 0; column < mine.columns; column += TILE) {
    __syncthreads();
    fetch(lines, mine, first, column);
    fetch(others, theirs, other, column);
    __syncthreads();
#pragma unroll 8
    for (int k = 0; k < TILE; ++k) {
      const A other = others[lane][k];
#pragma unroll
      for (int r = 0; r < ROWS; ++r) out[r] += lines[warp * ROWS + r][k] * other;
    }
  }
}

// Adds lines of a tile, as the lanes weigh them, to sums of which a lane has some columns.
__device__ inline void mix(A (&sums)[ROWS][COLUMNS], const A (&weights)[ROWS], const Matrix& m,
                           int64 first, const Place& at) {
  const int count = m.rows - first < TILE ? (int)(m.rows - first) : TILE;
  for (int k = 0; k < count; ++k) {
    const T* line = m.x + (first + k) * m.steps[0];
    A weight[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) weight[r] = shown_by(weights[r], k);
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) {
      const int64 column = at.first_column + c * 32 + at.lane;
      const A element = column < m.columns ? widen(line[column * m.steps[1]]) : (A)0;
#pragma unroll
      for (int r = 0; r < ROWS; ++r) sums[r][c] += weight[r] * element;
    }
  }
}

// Writes sums, each times a number, to the warp's lines of an array in C order.
__device__ inline void store(T* out, const A (&sums)[ROWS][COLUMNS], const A (&factors)[ROWS],
                             int64 rows, int64 columns, const Place& at) {
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) {
      const int64 column = at.first_column + c * 32 + at.lane;
      if (at.first + r < rows && column < columns)
        out[(at.lead * rows + at.first + r) * columns + column] =
            narrow<T>(factors[r] == 0 ? (A)0 : sums[r][c] * factors[r]);
    }
  }
}

// A softmax whose elements come a tile at a time: the largest so far, and the sum of exponentials
// below it.
struct Softmax {
  A top = (A)-infinity(), total = 0;

  // The exponential of this lane's score; `fade` scales what was summed before.
  __device__ A add(A score, A& fade) {
    const A peak = larger(top, warp_join<Larger>(score));
    const bool blind = peak == (A)-infinity();  // nothing to see so far
    const A weight = blind ? (A)0 : exp(score - peak);
    fade = blind ? (A)1 : exp(top - peak);
    total = total * fade + warp_join<Adding>(weight);
    top = peak;
    return weight;
  }
};

// The first key that none of the block's queries sees.
__device__ inline int64 last_key(const Attention& a, const Place& at) {
  return a.causal && at.first_of_block + TILE < a.S ? at.first_of_block + TILE : a.S;
}

KERNEL_OF(attention, Attention, 256, sizeof(A) == 4 ? 2 : 1) {
  const Place at(a);
  const Matrix queries = at.queries(a), keys = at.keys(a), values = at.values(a);
  Softmax all[ROWS];
  A sums[ROWS][COLUMNS] = {};
  const int64 last = last_key(a, at);
  for (int64 first = 0; first < last; first += TILE) {
    A weights[ROWS];
    fits(weights, queries, at.first_of_block, keys, first, at.warp, at.lane);
    const int64 key = first + at.lane;
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const int64 query = at.first + r;
      A fade;
      const A weight = all[r].add(at.masked(a, weights[r] * (A)a.scale, query, key), fade);
      weights[r] = at.thinned(a, weight, query, key);
      for (int c = 0; c < COLUMNS; ++c) sums[r][c] *= fade;
    }
    mix(sums, weights, values, first, at);
  }
  A factors[ROWS];
  for (int r = 0; r < ROWS; ++r) factors[r] = all[r].total == 0 ? (A)0 : 1 / all[r].total;
  store(a.out, sums, factors, a.L, a.V, at);
}

// The cotangents of queries; and what the weights of each are divided by, and their cotangents'
// mean, for `attention_backward_keys`.
KERNEL_OF(attention_backward_queries, Attention, 256, sizeof(A) == 4 ? 2 : 1) {
  const Place at(a);
  const Matrix queries = at.queries(a), keys = at.keys(a), values = at.values(a);
  const Matrix turns = at.turns(a);
  const int64 last = last_key(a, at);

  Softmax all[ROWS];
  for (int64 first = 0; first < last; first += TILE) {
    A scores[ROWS], fade;
    fits(scores, queries, at.first_of_block, keys, first, at.warp, at.lane);
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
      all[r].add(at.masked(a, scores[r] * (A)a.scale, at.first + r, first + at.lane), fade);
  }
  A levels[ROWS], alongs[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    // No score is above infinity: a query that sees nothing has only weights 0.
    levels[r] = all[r].total == 0 ? (A)infinity() : all[r].top + log(all[r].total);
    const int64 query = at.first + r;
    A sum = 0;
    if (query < a.L)
      for (int64 column = at.lane; column < a.V; column += 32)
        sum += widen(turns.x[query * turns.steps[0] + column * turns.steps[1]]) *
               widen(a.result[at.starts[RESULT] + query * a.steps[RESULT][0] +
                              column * a.steps[RESULT][1]]);
    alongs[r] = warp_join<Adding>(sum);
    if (at.lane == 0 && blockIdx.z == 0 && query < a.L) {
      a.level[at.lead * a.L + query] = levels[r];
      a.along[at.lead * a.L + query] = alongs[r];
    }
  }

  A sums[ROWS][COLUMNS] = {};
  for (int64 first = 0; first < last; first += TILE) {
    A scores[ROWS], slopes[ROWS];
    fits(scores, queries, at.first_of_block, keys, first, at.warp, at.lane);
    fits(slopes, turns, at.first_of_block, values, first, at.warp, at.lane);
    const int64 key = first + at.lane;
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const int64 query = at.first + r;
      const A weight = exp(at.masked(a, scores[r] * (A)a.scale, query, key) - levels[r]);
      slopes[r] = weight * (at.thinned(a, slopes[r], query, key) - alongs[r]);
    }
    mix(sums, slopes, keys, first, at);
  }
  A factors[ROWS];
  for (int r = 0; r < ROWS; ++r) factors[r] = (A)a.scale;
  store(a.for_query, sums, factors, a.L, a.E, at);
}

// The cotangents of keys and values.
KERNEL_OF(attention_backward_keys, Attention, 256, sizeof(A) == 4 ? 2 : 1) {
  const Place at(a);
  const Matrix queries = at.queries(a), keys = at.keys(a), values = at.values(a);
  const Matrix turns = at.turns(a);
  A for_key[ROWS][COLUMNS] = {}, for_value[ROWS][COLUMNS] = {};
  for (int64 first = a.causal ? at.first_of_block : 0; first < a.L; first += TILE) {
    A weights[ROWS], slopes[ROWS];
    fits(weights, keys, at.first_of_block, queries, first, at.warp, at.lane);
    fits(slopes, values, at.first_of_block, turns, first, at.warp, at.lane);
    const int64 query = first + at.lane, line = at.lead * a.L + query;
    const A level = query < a.L ? a.level[line] : (A)infinity();
    const A along = query < a.L ? a.along[line] : (A)0;
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const int64 key = at.first + r;
      const A weight = exp(at.masked(a, weights[r] * (A)a.scale, query, key) - level);
      slopes[r] = weight * (at.thinned(a, slopes[r], query, key) - along);
      weights[r] = at.thinned(a, weight, query, key);
    }
    mix(for_key, slopes, queries, first, at);
    mix(for_value, weights, turns, first, at);
  }
  A factors[ROWS];
  for (int r = 0; r < ROWS; ++r) factors[r] = (A)a.scale;
  store(a.for_key, for_key, factors, a.S, a.E, at);
  for (int r = 0; r < ROWS; ++r) factors[r] = 1;
  store(a.for_value, for_value, factors, a.S, a.V, at);
}
