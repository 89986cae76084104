// start, start + step, …: whole numbers exactly, others in double, so that late ones carry no
// accumulated rounding. T is double or int64, U the result's type.
#include "axes.cuh"
#include "casting.cuh"

struct Counting {
  void* out;
  int64 count;
  T start, step;
};

KERNEL(arange, Counting, 256) {
  FOR_EACH(i, a.count) ((U*)a.out)[i] = Cast<U, T>::of(plus(a.start, times((T)i, a.step)));
}
