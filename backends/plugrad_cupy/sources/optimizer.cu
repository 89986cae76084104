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

struct Rmsprop {
  T* params[TENSORS];
  const T* grads[TENSORS];
  T* squares[TENSORS];
  T* averages[TENSORS];  // null unless centered
  T* momenta[TENSORS];   // null without momentum
  int64 sizes[TENSORS];
  double lr, alpha, eps, weight_decay, momentum;
  int maximize, spare;
};

KERNEL(rmsprop_step, Rmsprop, 256) {
  const int t = blockIdx.y;
  T* const params = a.params[t];
  T* const squares = a.squares[t];
  T* const averages = a.averages[t];
  T* const momenta = a.momenta[t];
  const T* const grads = a.grads[t];
  EACH_ELEMENT(i) {
    const A p = widen(params[i]);
    A g = widen(grads[i]);
    if (a.maximize) g = -g;
    if (a.weight_decay != 0) g += p * (A)a.weight_decay;
    const A square = widen(squares[i]) * (A)a.alpha + g * g * (A)(1 - a.alpha);
    squares[i] = narrow<T>(square);
    A size = square;
    if (averages) {
      const A before = widen(averages[i]), average = before + (g - before) * (A)(1 - a.alpha);
      averages[i] = narrow<T>(average);
      size -= average * average;
    }
    g /= sqrt(size) + (A)a.eps;
    if (momenta) {
      g += widen(momenta[i]) * (A)a.momentum;
      momenta[i] = narrow<T>(g);
    }
    params[i] = narrow<T>(p - g * (A)a.lr);
  }
}

struct Adagrad {
  T* params[TENSORS];
  const T* grads[TENSORS];
  T* sums[TENSORS];
  int64 sizes[TENSORS];
  double rates[TENSORS];  // lr, fallen with the steps
  double eps, weight_decay;
  int maximize, spare;
};

KERNEL(adagrad_step, Adagrad, 256) {
  const int t = blockIdx.y;
  T* const params = a.params[t];
  T* const sums = a.sums[t];
  const T* const grads = a.grads[t];
  EACH_ELEMENT(i) {
    const A p = widen(params[i]);
    A g = widen(grads[i]);
    if (a.maximize) g = -g;
    if (a.weight_decay != 0) g += p * (A)a.weight_decay;
    const A sum = widen(sums[i]) + g * g;
    sums[i] = narrow<T>(sum);
    params[i] = narrow<T>(p - g / (sqrt(sum) + (A)a.eps) * (A)a.rates[t]);
  }
}
