// What perf found, as a table and as JSON.
#pragma once

#include <fulmar/host/load.hpp>

#include <cstdint>
#include <string>

namespace fulmar::cli {

struct perf_result {
    host::load_options options;
    host::load_report report;
    std::string target;
    std::string nqn;
    std::uint32_t queues = 1;
    bool flow_control = true;
    std::uint64_t target_cpu_ns = 0;
    bool target_watched = false;
    std::uint64_t violations = 0;
    std::uint64_t unanswered = 0;  ///< commands whose connection ended before their answer came
};

void print(const perf_result& r);
/// To a file, or to stdout for "-". Leaves when it cannot.
void write_json(const perf_result& r, const std::string& file);

}  // namespace fulmar::cli
