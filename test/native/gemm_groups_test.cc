// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kernels/gemm/gemm.h"

namespace lastbit::test {
namespace {

TEST(GemmGroups, AreDividedIntoFewEqualSteps) {
  for (size_t groups = 1; groups <= 4000; ++groups) {
    const size_t padded = padded_groups(groups, 16), step = step_groups(padded, 16);
    ASSERT_LE(step, 16u) << groups;
    ASSERT_GE(padded, groups) << groups;
    ASSERT_LT(padded - groups, 16u) << groups;  // what tiles read too far stays within 64 bytes
    ASSERT_EQ(padded % step, 0u) << groups;
    ASSERT_EQ(padded / step, (groups + 15) / 16) << groups;
  }
  EXPECT_EQ(padded_groups(36, 16), 36u);  // 144 terms: three steps of 12 groups
  EXPECT_EQ(step_groups(36, 16), 12u);
  EXPECT_EQ(padded_groups(7, 1), 7u);  // of kernels that take one group at a time
}

}  // namespace
}  // namespace lastbit::test
