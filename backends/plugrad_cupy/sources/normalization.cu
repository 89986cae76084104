// Layer norm over rows (rows, size), batch norm over the channels of (count, channels, inner).
// Statistics of halves are kept in float throughout; variances are sums of squared distances.
#include "functions.cuh"
#include "teams.cuh"

typedef Wide<T> A;

__device__ inline A or_number(const T* parameter, int64 i, A otherwise) {
  return parameter ? widen(parameter[i]) : otherwise;
}

// Two sums at once.
struct Pair {
  A first, second;
  __device__ static Pair join(Pair x, Pair y) { return {x.first + y.first, x.second + y.second}; }
};

// layer norm -------------------------------------------------------------------------------------

struct LayerNorm {
  T* out;
  const T* x;
  const T* weight;  // or null
  const T* bias;    // or null; backward: the cotangent
  A* mean;          // backward only: each row's mean and one over its deviation
  A* scale;
  int64 rows, size;
  double eps;
};

__device__ inline void row_statistics(const T* x, int64 size, double eps, A& mean, A& scale) {
  A sum = 0;
  for (int64 i = threadIdx.x; i < size; i += blockDim.x) sum += widen(x[i]);
  mean = team_join<Adding>(sum) / size;
  A squares = 0;
  for (int64 i = threadIdx.x; i < size; i += blockDim.x) {
    A distance = widen(x[i]) - mean;
    squares += distance * distance;
  }
  scale = 1 / sqrt(team_join<Adding>(squares) / size + (A)eps);
}

KERNEL(layer_norm, LayerNorm, 256) {
  const int64 row = team_line();
  if (row >= a.rows) return;
  const T* x = a.x + row * a.size;
  A mean, scale;
  row_statistics(x, a.size, a.eps, mean, scale);
  for (int64 i = threadIdx.x; i < a.size; i += blockDim.x) {
    A normal = (widen(x[i]) - mean) * scale;
    const A scaled = normal * or_number(a.weight, i, 1);
    a.out[row * a.size + i] = narrow<T>(scaled + or_number(a.bias, i, 0));
  }
}

KERNEL(layer_norm_backward, LayerNorm, 256) {
  const int64 row = team_line();
  if (row >= a.rows) return;
  const T* x = a.x + row * a.size;
  const T* g = a.bias + row * a.size;
  A mean, scale;
  row_statistics(x, a.size, a.eps, mean, scale);
  Pair sums = {0, 0};
  for (int64 i = threadIdx.x; i < a.size; i += blockDim.x) {
    A scaled = widen(g[i]) * or_number(a.weight, i, 1);
    sums = Pair::join(sums, {scaled, scaled * (widen(x[i]) - mean) * scale});
  }
  sums = team_join<Pair>(sums);
  const A level = sums.first / a.size, along = sums.second / a.size;
  for (int64 i = threadIdx.x; i < a.size; i += blockDim.x) {
    A scaled = widen(g[i]) * or_number(a.weight, i, 1), normal = (widen(x[i]) - mean) * scale;
    a.out[row * a.size + i] = narrow<T>(scale * (scaled - level - normal * along));
  }
  if (threadIdx.x == 0) a.mean[row] = mean, a.scale[row] = scale;
}

// The cotangents of weight and bias: sums over rows, for each column by one thread per part of the
// rows; then over the parts.
struct LayerNormColumns {
  T* for_weight;
  T* for_bias;
  Pair* parts;
  const T* x;
  const T* g;
  const A* mean;
  const A* scale;
  int64 rows, size, span, count;  // `count` parts of `span` rows
};

KERNEL(layer_norm_columns, LayerNormColumns, 256) {
  const int64 column = team_line();
  if (column >= a.size) return;
  const int64 begin = blockIdx.y * a.span;
  const int64 end = begin + a.span < a.rows ? begin + a.span : a.rows;
  Pair sums = {0, 0};
  for (int64 row = begin; row < end; ++row) {
    const A g = widen(a.g[row * a.size + column]);
    const A normal = (widen(a.x[row * a.size + column]) - a.mean[row]) * a.scale[row];
    sums = Pair::join(sums, {g * normal, g});
  }
  a.parts[blockIdx.y * a.size + column] = sums;
}

KERNEL(layer_norm_join, LayerNormColumns, 256) {
  const int64 column = team_line();
  if (column >= a.size) return;
  Pair sums = {0, 0};
  for (int64 part = 0; part < a.count; ++part)
    sums = Pair::join(sums, a.parts[part * a.size + column]);
  a.for_weight[column] = narrow<T>(sums.first);
  a.for_bias[column] = narrow<T>(sums.second);
}

// batch norm -------------------------------------------------------------------------------------

// A channel's elements: `inner` neighbours for each of `count` examples. Block row p takes the p-th
// part of them.
struct BatchNorm {
  T* out;
  const T* x;
  const T* weight;  // or null
  const T* bias;    // or null; backward: the cotangent
  A* mean;          // of each channel
  A* scale;         // one over its deviation
  void* parts;
  T* first;   // results of each channel: mean and variance, or the cotangents of weight and bias
  T* second;
  int64 channels, count, inner, span, blocks;
  double eps;
  A* sums;  // backward: of each channel, of g and of g times the normalised elements
};

// T. F. Chan, G. H. Golub, R. J. LeVeque, Updating formulae and a pairwise algorithm for computing
// sample variances, 1979.
struct Moments {
  A count, mean, squares;  // squares: of the distances from the mean
  __device__ static Moments join(Moments x, Moments y) {
    const A count = x.count + y.count;
    if (count == 0) return x;
    const A distance = y.mean - x.mean, share = y.count / count;
    return {count, x.mean + distance * share,
            x.squares + y.squares + distance * distance * x.count * share};
  }
};

struct Channel {
  int64 channel, begin, end;
  __device__ Channel(const BatchNorm& a) {
    const int64 elements = a.count * a.inner;
    channel = team_line();
    begin = blockIdx.y * a.span;
    end = begin + a.span < elements ? begin + a.span : elements;
  }
};

__device__ inline int64 place(const BatchNorm& a, int64 channel, int64 i) {
  if (a.inner == 1) return i * a.channels + channel;
  return (i / a.inner * a.channels + channel) * a.inner + i % a.inner;
}

KERNEL(batch_norm_parts, BatchNorm, 256) {
  const Channel c(a);
  if (c.channel >= a.channels) return;
  // B. P. Welford, Note on a method for calculating corrected sums of squares and products, 1962.
  Moments mine = {0, 0, 0};
  for (int64 i = c.begin + threadIdx.x; i < c.end; i += blockDim.x) {
    const A x = widen(a.x[place(a, c.channel, i)]), distance = x - mine.mean;
    mine.count += 1;
    mine.mean += distance / mine.count;
    mine.squares += distance * (x - mine.mean);
  }
  mine = team_join<Moments>(mine);
  if (threadIdx.x == 0) ((Moments*)a.parts)[blockIdx.y * a.channels + c.channel] = mine;
}

KERNEL(batch_norm_join, BatchNorm, 256) {
  const int64 channel = blockIdx.x * (int64)blockDim.x + threadIdx.x;
  if (channel >= a.channels) return;
  Moments all = {0, 0, 0};
  for (int64 part = 0; part < a.blocks; ++part)
    all = Moments::join(all, ((const Moments*)a.parts)[part * a.channels + channel]);
  const A variance = all.squares / all.count;
  a.mean[channel] = all.mean;
  a.scale[channel] = 1 / sqrt(variance + (A)a.eps);
  if (a.first) a.first[channel] = narrow<T>(all.mean), a.second[channel] = narrow<T>(variance);
}

// What mean and variance that were given make of a channel.
KERNEL(batch_norm_given, BatchNorm, 256) {
  const int64 channel = blockIdx.x * (int64)blockDim.x + threadIdx.x;
  if (channel >= a.channels) return;
  a.mean[channel] = widen(a.first[channel]);
  a.scale[channel] = 1 / sqrt(widen(a.second[channel]) + (A)a.eps);
}

KERNEL(batch_norm_apply, BatchNorm, 256) {
  const int64 elements = a.count * a.channels * a.inner, threads = (int64)gridDim.x * blockDim.x;
  for (int64 i = blockIdx.x * (int64)blockDim.x + threadIdx.x; i < elements; i += threads) {
    const int64 c = i / a.inner % a.channels;
    const A normal = (widen(a.x[i]) - a.mean[c]) * a.scale[c];
    a.out[i] = narrow<T>(normal * or_number(a.weight, c, 1) + or_number(a.bias, c, 0));
  }
}

KERNEL(batch_norm_backward_parts, BatchNorm, 256) {
  const Channel c(a);
  if (c.channel >= a.channels) return;
  const A mean = a.mean[c.channel], scale = a.scale[c.channel];
  Pair sums = {0, 0};
  for (int64 i = c.begin + threadIdx.x; i < c.end; i += blockDim.x) {
    const int64 at = place(a, c.channel, i);
    const A g = widen(a.bias[at]);
    sums = Pair::join(sums, {g, g * (widen(a.x[at]) - mean) * scale});
  }
  sums = team_join<Pair>(sums);
  if (threadIdx.x == 0) ((Pair*)a.parts)[blockIdx.y * a.channels + c.channel] = sums;
}

KERNEL(batch_norm_backward_join, BatchNorm, 256) {
  const int64 channel = blockIdx.x * (int64)blockDim.x + threadIdx.x;
  if (channel >= a.channels) return;
  Pair all = {0, 0};
  for (int64 part = 0; part < a.blocks; ++part)
    all = Pair::join(all, ((const Pair*)a.parts)[part * a.channels + channel]);
  a.sums[2 * channel] = all.first, a.sums[2 * channel + 1] = all.second;
  a.first[channel] = narrow<T>(all.second), a.second[channel] = narrow<T>(all.first);
}

KERNEL(batch_norm_backward_apply, BatchNorm, 256) {
  const int64 elements = a.count * a.channels * a.inner, threads = (int64)gridDim.x * blockDim.x;
  const A share = 1 / (A)(a.count * a.inner);
  for (int64 i = blockIdx.x * (int64)blockDim.x + threadIdx.x; i < elements; i += threads) {
    const int64 c = i / a.inner % a.channels;
    const A normal = (widen(a.x[i]) - a.mean[c]) * a.scale[c];
    const A rest = widen(a.bias[i]) - share * (a.sums[2 * c] + normal * a.sums[2 * c + 1]);
    a.out[i] = narrow<T>(rest * a.scale[c] * or_number(a.weight, c, 1));
  }
}
