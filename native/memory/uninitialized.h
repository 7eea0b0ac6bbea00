// SPDX-License-Identifier: Apache-2.0
// Vectors whose new elements are not zero filled: of weights that are written right afterwards,
// where filling would be a fair part of what loading costs.
#pragma once
#include <memory>
#include <utility>
#include <vector>

namespace lastbit {

template <class T>
struct UninitializedAllocator : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = UninitializedAllocator<U>;
  };
  template <class U>
  void construct(U* place) {
    ::new (static_cast<void*>(place)) U;
  }
  template <class U, class... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
  }
};

template <class T>
using Uninitialized = std::vector<T, UninitializedAllocator<T>>;

}  // namespace lastbit
