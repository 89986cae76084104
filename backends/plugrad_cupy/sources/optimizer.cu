// Optimizer steps of many tensors in one launch: block row t takes tensor t. Halves are computed in
// float and rounded where they are stored.
#include "functions.cuh"

typedef Wide<T> A;
constexpr int TENSORS = 24;  // in one launch: their addresses are the kernel's argument

struct Sgd {
  T* params[TENSORS];
  const T* grads[TENSORS];
  T* momenta[TENSORS];  // null without momentum
  int64 sizes[TENSORS];
  double lr, momentum, dampening, weight_decay;
  int nesterov, maximize;
};

#define EACH_ELEMENT(i)                                                                       \
  for (int64 i = blockIdx.x * (int64)blockDim.x + threadIdx.x; i < a.sizes[blockIdx.y];       \
       i += (int64)gridDim.x * blockDim.x)

KERNEL(sgd_step, Sgd, 256) {
  T* const params = a.params[blockIdx.y];
  T* const momenta = a.momenta[blockIdx.y];
  const T* const grads = a.grads[blockIdx.y];
  EACH_ELEMENT(i) {
    const A p = widen(params[i]);
    A g = widen(grads[i]);
    if (a.maximize) g = -g;
    if (a.weight_decay != 0) g += p * (A)a.weight_decay;
    if (momenta) {
      const A m = widen(momenta[i]) * (A)a.momentum + g * (A)(1 - a.dampening);
      momenta[i] = narrow<T>(m);
      g = a.nesterov ? g + m * (A)a.momentum : m;
    }
    params[i] = narrow<T>(p - g * (A)a.lr);
  }
}

struct Adam {
  T* params[TENSORS];
  const T* grads[TENSORS];
  T* averages[TENSORS];
  T* squares[TENSORS];
  T* maxima[TENSORS];  // null without AMSGrad
  int64 sizes[TENSORS];
  double rates[TENSORS];  // lr over the first bias correction
  double roots[TENSORS];  // the second bias correction's root
  double shrink;          // what decoupled decay leaves of a parameter
  double weight_decay;    // that is added to the gradient
  double beta1, beta2, eps;
  int maximize, spare;
};

KERNEL(adam_step, Adam, 256) {
  const int t = blockIdx.y;
  T* const params = a.params[t];
  T* const averages = a.averages[t];
  T* const squares = a.squares[t];
  T* const maxima = a.maxima[t];
  const T* const grads = a.grads[t];
  EACH_ELEMENT(i) {
    const A p = widen(params[i]) * (A)a.shrink;
    A g = widen(grads[i]);
    if (a.maximize) g = -g;
    g += p * (A)a.weight_decay;
    const A average = widen(averages[i]), m = average + (g - average) * (A)(1 - a.beta1);
    A v = widen(squares[i]) * (A)a.beta2 + g * g * (A)(1 - a.beta2);
    averages[i] = narrow<T>(m);
    squares[i] = narrow<T>(v);
    if (maxima) {
      v = larger(widen(maxima[i]), v);
      maxima[i] = narrow<T>(v);
    }
    const A unbiased = sqrt(v) / (A)a.roots[t];
    params[i] = narrow<T>(p - m / (unbiased + (A)a.eps) * (A)a.rates[t]);
  }
}
