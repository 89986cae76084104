// The largest element of each window, and its position.
#include "windows.cuh"

KERNEL(max_pool, Windows, 256) {
  FOR_EACH(i, a.count) {
    int at[3];
    int64 place = -1;
    const T* in = split(a, i, a.outs, at);
    T best = T();
    for (int u = 0; u < a.kernel[0]; ++u) {
      int z = at[0] * a.stride[0] - a.padding[0] + u * a.dilation[0];
      if (z < 0 || z >= a.sizes[0].size) continue;
      for (int v = 0; v < a.kernel[1]; ++v) {
        int y = at[1] * a.stride[1] - a.padding[1] + v * a.dilation[1];
        if (y < 0 || y >= a.sizes[1].size) continue;
        for (int w = 0; w < a.kernel[2]; ++w) {
          int x = at[2] * a.stride[2] - a.padding[2] + w * a.dilation[2];
          if (x < 0 || x >= a.sizes[2].size) continue;
          T seen = in[z * a.strides[2] + y * a.strides[3] + x * a.strides[4]];
          // The first of equals, the last NaN.
          if (place < 0 || widen(seen) > widen(best) || widen(seen) != widen(seen)) {
            best = seen;
            place = (z * a.sizes[1].size + y) * a.sizes[2].size + x;
          }
        }
      }
    }
    ((T*)a.out)[i] = best;
    a.positions[i] = place;
  }
}
