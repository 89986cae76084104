// What each filter of a convolution sees, as columns (C, *kernel, N, *out) of a matrix, and the way
// back. Missing spatial axes have size 1. T is the elements' type.
#include "axes.cuh"

struct Columns {
  void* image;         // (N, C, depth, height, width)
  void* columns;       // in C order
  int64 count;         // of threads' elements: of the columns, or of the image
  int64 strides[5];    // of the image
  Size batch, channels;
  Size sizes[3];       // of the image
  Size outs[3];
  Size taps[3];        // of the kernel
  int stride[3], padding[3], dilation[3];
};

KERNEL(gather, Columns, 256) {
  FOR_EACH(i, a.count) {
    int64 rest = i, out[3], tap[3];
    for (int k = 2; k >= 0; --k) out[k] = a.outs[k].pop(rest);
    int64 place = a.batch.pop(rest) * a.strides[0];
    for (int k = 2; k >= 0; --k) tap[k] = a.taps[k].pop(rest);
    place += rest * a.strides[1];
    bool inside = true;
    for (int k = 0; k < 3; ++k) {
      int64 at = out[k] * a.stride[k] - a.padding[k] + tap[k] * a.dilation[k];
      inside = inside && at >= 0 && at < a.sizes[k].size;
      place += at * a.strides[2 + k];
    }
    ((T*)a.columns)[i] = inside ? ((const T*)a.image)[place] : T();
  }
}

// Each element of the image, in C order, adds up the columns' elements that saw it; those of halves
// are floats, so that the sum alone is rounded.
KERNEL(scatter, Columns, 256) {
  const int64 spread = a.outs[0].size * a.outs[1].size * a.outs[2].size;
  FOR_EACH(i, a.count) {
    int64 item = i;
    int at[3];
    for (int k = 2; k >= 0; --k) at[k] = (int)a.sizes[k].pop(item);
    const int64 channel = a.channels.pop(item);
    Wide<T> total = Wide<T>();
    for (int u = 0; u < a.taps[0].size; ++u) {
      int z = at[0] + a.padding[0] - u * a.dilation[0];
      if (z < 0 || z % a.stride[0] || z / a.stride[0] >= a.outs[0].size) continue;
      for (int v = 0; v < a.taps[1].size; ++v) {
        int y = at[1] + a.padding[1] - v * a.dilation[1];
        if (y < 0 || y % a.stride[1] || y / a.stride[1] >= a.outs[1].size) continue;
        for (int w = 0; w < a.taps[2].size; ++w) {
          int x = at[2] + a.padding[2] - w * a.dilation[2];
          if (x < 0 || x % a.stride[2] || x / a.stride[2] >= a.outs[2].size) continue;
          int64 tap = (u * a.taps[1].size + v) * a.taps[2].size + w;
          int64 row = channel * a.taps[0].size * a.taps[1].size * a.taps[2].size + tap;
          int64 window =
              (z / a.stride[0] * a.outs[1].size + y / a.stride[1]) * a.outs[2].size + x / a.stride[2];
          total = plus(total, ((const Wide<T>*)a.columns)[(row * a.batch.size + item) * spread + window]);
        }
      }
    }
    ((T*)a.image)[i] = narrow<T>(total);
  }
}
