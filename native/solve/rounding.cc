// SPDX-License-Identifier: Apache-2.0
#include "solve/rounding.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "solve/search.h"
#include "threads/thread_pool.h"

namespace lastbit::solve {
namespace {

// Up to `lanes` channels of one group.
struct Task {
  size_t group, first, count;
};

class Rounding {
 public:
  Rounding(const Layer& layer, const Grid& grid, const RoundingOptions& options)
      : layer_(layer), grid_(grid), options_(options), pool_(options.threads) {
    per_channel_ = grid.scales.size() > 1;
    if (options_.ratios.empty()) options_.ratios = {1.0};
    const size_t per_group = layer.outputs / layer.groups;
    for (size_t g = 0; g < layer.groups; ++g) {
      for (size_t i = 0; i < per_group; i += lanes) {
        tasks_.push_back({g, g * per_group + i, std::min(lanes, per_group - i)});
      }
    }
    quadratics_.resize(layer.groups);
    targets_.resize(tasks_.size());
    before_.resize(layer.outputs);
    after_.resize(layer.outputs);
  }

  Rounded run() {
    each(layer_.groups, [&](size_t g) {
      const size_t square = layer_.terms * layer_.terms;
      quadratics_[g] =
          make_quadratic(layer_.covariance + g * square, layer_.terms, options_.damping);
    });
    each(tasks_.size(), [&](size_t i) { prepare(i); });
    Rounded result;
    result.codes.resize(layer_.outputs * layer_.terms);
    result.scales = grid_.scales;
    if (!per_channel_) result.scales[0] = static_cast<float>(shared_scale());
    each(tasks_.size(), [&](size_t i) { solve(i, result); });
    for (size_t c = 0; c < layer_.outputs; ++c) {
      result.before += before_[c];
      result.after += after_[c];
    }
    return result;
  }

 private:
  template <class Body>
  void each(size_t count, const Body& body) {
    pool_.run(static_cast<int32_t>(count),
              [&](int32_t i, int32_t) { body(static_cast<size_t>(i)); });
  }

  const Quadratic& quadratic(const Task& task) const { return quadratics_[task.group]; }

  Steps steps_of(const Task& task, const std::vector<float>& scales, double ratio) const {
    Steps steps;
    for (size_t r = 0; r < lanes; ++r) {
      const size_t c = task.first + std::min(r, task.count - 1);
      const int32_t zero = grid_.zero_points[grid_.zero_points.size() == 1 ? 0 : c];
      const double scale = static_cast<double>(scales[per_channel_ ? c : 0]) * ratio;
      steps.scale[r] = std::max(static_cast<double>(static_cast<float>(scale)), least_scale(c));
      steps.least[r] = grid_.least - zero;
      steps.greatest[r] = grid_.greatest - zero;
    }
    return steps;
  }

  double least_scale(size_t channel) const {
    if (options_.least_scales.empty()) return 0;
    if (per_channel_) return static_cast<double>(options_.least_scales[channel]);
    return static_cast<double>(
        *std::max_element(options_.least_scales.begin(), options_.least_scales.end()));
  }

  // The channels' real weights in the order of H.
  Block real_weights(const Task& task) const {
    const Quadratic& q = quadratic(task);
    Block real(layer_.terms * lanes);
    for (size_t j = 0; j < layer_.terms; ++j) {
      for (size_t r = 0; r < task.count; ++r) {
        real[j * lanes + r] =
            static_cast<double>(layer_.weights[(task.first + r) * layer_.terms + q.order[j]]);
      }
    }
    return real;
  }

  void prepare(size_t index) {
    const Task& task = tasks_[index];
    const float* weights[lanes] = {};
    for (size_t r = 0; r < task.count; ++r) {
      weights[r] = layer_.weights + (task.first + r) * layer_.terms;
    }
    const double* cross =
        layer_.cross == nullptr ? nullptr : layer_.cross + task.group * layer_.terms * layer_.terms;
    targets_[index] = solve_target(quadratic(task), cross, weights);
    const Steps steps = steps_of(task, grid_.scales, 1);
    double costs[lanes];
    cost_of(quadratic(task),
            difference_of(round_nearest(real_weights(task), steps), targets_[index], steps), costs);
    std::copy_n(costs, task.count, before_.begin() + static_cast<std::ptrdiff_t>(task.first));
  }

  // A first answer without descent; costs[lanes].
  Block start(size_t index, const Steps& steps, double* costs, Method method) const {
    const Task& task = tasks_[index];
    const Quadratic& q = quadratic(task);
    const Block& target = targets_[index];
    if (method == Method::in_order) {
      if (q.terms <= exhaustive_terms) return round_exhaustive(q, target, steps, costs);
      return round_in_order(q, target, steps, costs);
    }
    Block u = method == Method::learned
                  ? round_learned(q, target, real_weights(task), steps, options_.iterations)
                  : round_nearest(real_weights(task), steps);
    cost_of(q, difference_of(u, target, steps), costs);
    return u;
  }

  // What scales are compared by: learning starts from each would take too long.
  Method comparing() const {
    return options_.method == Method::learned ? Method::in_order : options_.method;
  }

  // The ratio under which the whole layer costs least.
  double shared_scale() {
    std::vector<double> totals;
    std::vector<double> costs(layer_.outputs);
    for (const double ratio : options_.ratios) {
      if (options_.ratios.size() == 1) return steps_of(tasks_[0], grid_.scales, ratio).scale[0];
      each(tasks_.size(), [&](size_t i) {
        double of_lane[lanes];
        start(i, steps_of(tasks_[i], grid_.scales, ratio), of_lane, comparing());
        std::copy_n(of_lane, tasks_[i].count,
                    costs.begin() + static_cast<std::ptrdiff_t>(tasks_[i].first));
      });
      double total = 0;
      for (const double cost : costs) total += cost;
      totals.push_back(total);
    }
    const auto best = std::min_element(totals.begin(), totals.end()) - totals.begin();
    return steps_of(tasks_[0], grid_.scales, options_.ratios[static_cast<size_t>(best)]).scale[0];
  }

  // Each channel's best ratio.
  Steps own_scales(size_t index) const {
    const Task& task = tasks_[index];
    Steps best = steps_of(task, grid_.scales, options_.ratios[0]);
    if (options_.ratios.size() == 1) return best;
    double least[lanes];
    std::fill_n(least, lanes, std::numeric_limits<double>::infinity());
    for (const double ratio : options_.ratios) {
      const Steps steps = steps_of(task, grid_.scales, ratio);
      double costs[lanes];
      start(index, steps, costs, comparing());
      for (size_t r = 0; r < lanes; ++r) {
        if (!(costs[r] < least[r])) continue;
        least[r] = costs[r];
        best.scale[r] = steps.scale[r];
      }
    }
    return best;
  }

  void solve(size_t index, Rounded& result) {
    const Task& task = tasks_[index];
    const Quadratic& q = quadratic(task);
    const Block& target = targets_[index];
    Steps steps = per_channel_ ? own_scales(index) : steps_of(task, result.scales, 1);
    double costs[lanes];
    Block u = start(index, steps, costs, options_.method);
    if (options_.method != Method::nearest) {
      descend(q, target, steps, options_.sweeps, u, costs);
      keep_nearest(q, target, steps, real_weights(task), u, costs);
      if (options_.refit && per_channel_) refit(task, target, steps, u, costs);
    }
    for (size_t r = 0; r < task.count; ++r) {
      const size_t c = task.first + r;
      const int32_t zero = grid_.zero_points[grid_.zero_points.size() == 1 ? 0 : c];
      for (size_t j = 0; j < q.terms; ++j) {
        result.codes[c * q.terms + q.order[j]] = static_cast<int32_t>(u[j * lanes + r]) + zero;
      }
      if (per_channel_) result.scales[c] = static_cast<float>(steps.scale[r]);
      after_[c] = costs[r];
    }
  }

  // Rounding to nearest where that is cheaper; with few weights, where it costs little, descent
  // from there as a second start.
  void keep_nearest(const Quadratic& q, const Block& target, const Steps& steps, const Block& real,
                    Block& u, double* costs) const {
    Block other = round_nearest(real, steps);
    double other_costs[lanes];
    const int32_t sweeps = q.terms <= exhaustive_terms ? options_.sweeps : 0;
    descend(q, target, steps, sweeps, other, other_costs);
    for (size_t r = 0; r < lanes; ++r) {
      if (!(other_costs[r] < costs[r])) continue;
      costs[r] = other_costs[r];
      for (size_t j = 0; j < q.terms; ++j) u[j * lanes + r] = other[j * lanes + r];
    }
  }

  // Scale and codes in turns; a lane keeps its last state once it stops gaining.
  void refit(const Task& task, const Block& target, Steps& steps, Block& u, double* costs) const {
    const Quadratic& q = quadratic(task);
    for (int32_t round = 0; round < 3; ++round) {
      Steps next = steps;
      double scales[lanes];
      best_scales(q, target, u, scales);
      for (size_t r = 0; r < lanes; ++r) {
        const size_t c = task.first + std::min(r, task.count - 1);
        const double scale = static_cast<double>(static_cast<float>(scales[r]));
        if (scale > steps.scale[r] / 4 && scale >= least_scale(c)) next.scale[r] = scale;
      }
      Block other = u;
      double other_costs[lanes];
      descend(q, target, next, options_.sweeps, other, other_costs);
      bool gained = false;
      for (size_t r = 0; r < lanes; ++r) {
        if (!(other_costs[r] < costs[r] * (1 - 1e-6))) continue;
        gained = true;
        costs[r] = other_costs[r];
        steps.scale[r] = next.scale[r];
        for (size_t j = 0; j < q.terms; ++j) u[j * lanes + r] = other[j * lanes + r];
      }
      if (!gained) break;
    }
  }

  const Layer& layer_;
  const Grid& grid_;
  RoundingOptions options_;
  threads::ThreadPool pool_;
  bool per_channel_ = false;
  std::vector<Task> tasks_;
  std::vector<Quadratic> quadratics_;
  std::vector<Block> targets_;
  std::vector<double> before_, after_;
};

}  // namespace

Rounded round_weights(const Layer& layer, const Grid& grid, const RoundingOptions& options) {
  return Rounding(layer, grid, options).run();
}

}  // namespace lastbit::solve
