// SPDX-License-Identifier: Apache-2.0
// Requantization `stages` of src/program/NOTES.md on rows of exact integers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "program/program.h"

namespace lastbit::program {

// values[i] passes through all stages as channel `first` + i, for i < count.
void run_stages(const std::vector<Stage>& stages, size_t first, size_t count, int64_t* values);

// As above, one stage.
void run_stage(const StageAdd& stage, size_t first, size_t count, int64_t* values);
void run_stage(const StageMultiply& stage, size_t first, size_t count, int64_t* values);
void run_stage(const StageShift& stage, size_t first, size_t count, int64_t* values);
void run_stage(const StageSaturate& stage, size_t first, size_t count, int64_t* values);
void run_stage(const StageClamp& stage, size_t first, size_t count, int64_t* values);
void run_stage(const StageSegments& stage, size_t first, size_t count, int64_t* values);
void run_stage(const StageThresholds& stage, size_t first, size_t count, int64_t* values);

// The segment that holds v.
size_t segment_of(const StageSegments& stage, int64_t v);

// Entries of channels [first, first + count).
std::vector<Stage> part_of(const std::vector<Stage>& stages, size_t first, size_t count);

}  // namespace lastbit::program
