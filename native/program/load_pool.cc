// SPDX-License-Identifier: Apache-2.0
#include "program/loader.h"

namespace lastbit::program {
namespace {

// floor((size + pads - ((kernel - 1) * dilation + 1)) / stride) + 1; 0 or less: no window fits.
int64_t window_count(int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t stride,
                     int64_t dilation) {
  const int64_t room = size + before + after - ((kernel - 1) * dilation + 1);
  return room < 0 ? 0 : room / stride + 1;
}

// Windows start at -before and advance by the stride, so only the first can end before the image
// and only the last begin behind it.
bool windows_hold_pixels(int64_t size, int64_t before, int64_t kernel, int64_t stride,
                         int64_t count) {
  return before < kernel && (count - 1) * stride - before < size;
}

}  // namespace

// Pads of windows and of `pad`.
Pads Loader::read_pads() {
  Pads pads;
  for (int32_t* side : {&pads.top, &pads.left, &pads.bottom, &pads.right}) {
    *side = static_cast<int32_t>(r_.u32_in("a pad", 0, max_side));
  }
  return pads;
}

Window Loader::read_window(bool with_dilations) {
  Window w;
  const auto pair = [this](const char* what, int32_t* h, int32_t* v) {
    *h = static_cast<int32_t>(r_.u32_in(what, 1, max_side));
    *v = static_cast<int32_t>(r_.u32_in(what, 1, max_side));
  };
  pair("a kernel side", &w.kernel_h, &w.kernel_w);
  pair("a stride", &w.stride_h, &w.stride_w);
  if (with_dilations) pair("a dilation", &w.dilation_h, &w.dilation_w);
  w.pads = read_pads();
  return w;
}

void Loader::require_window_output(const Window& w, int64_t channels) const {
  require_output(
      window_count(in().height, w.pads.top, w.pads.bottom, w.kernel_h, w.stride_h, w.dilation_h),
      window_count(in().width, w.pads.left, w.pads.right, w.kernel_w, w.stride_w, w.dilation_w),
      channels);
}

Window Loader::read_pool_window() {
  const Window w = read_window(false);
  require_window_output(w, in().channels);
  require(windows_hold_pixels(in().height, w.pads.top, w.kernel_h, w.stride_h, out_->height) &&
              windows_hold_pixels(in().width, w.pads.left, w.kernel_w, w.stride_w, out_->width),
          "a window holds no pixel");
  return w;
}

Body Loader::read_average_pool() {
  AveragePool pool;
  pool.window = read_pool_window();
  pool.form = r_.enumeration<AverageForm>("an average's form", 3);
  switch (pool.form) {
    case AverageForm::divide:
      pool.rule = r_.enumeration<DivideRule>("a rule", 3);
      require_same_codes();
      break;
    case AverageForm::requant:
      pool.requant = read_sum_requant(pool.window);
      break;
    case AverageForm::f32_window:
      pool.scale_in = moderate_scale("scaleIn");
      pool.scale_out = moderate_scale("scaleOut");
      break;
  }
  pool.clamp = read_clamp();
  return pool;
}

Requant Loader::read_sum_requant(const Window& window) {
  const Centred x = centred(in());
  const int64_t area = int64_t{window.kernel_h} * window.kernel_w;
  const Interval sum{area * x.least, area * x.greatest};  // below 2^32 * 2^16
  require(fits32(sum.least) && fits32(sum.greatest), "a sum leaves 32 bits");
  const auto channels = static_cast<size_t>(out_->channels);
  Requant requant = read_requant(channels, false);
  check_stages_alike(requant, channels, sum);
  return requant;
}

Body Loader::read_max_pool() {
  MaxPool pool;
  pool.window = read_pool_window();
  require_same_codes();
  pool.clamp = read_clamp();
  return pool;
}

}  // namespace lastbit::program
