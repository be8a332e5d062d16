#include "bench/drive_load/report.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace fulmar::bench {

bool write_drive_report(const drive_load_report& r, const drive_load_options& options,
                        const std::string& file) {
    const double reads = static_cast<double>(std::max<std::uint64_t>(r.reads, 1));
    const double cpu_us = static_cast<double>(r.cpu_user_ns + r.cpu_system_ns) / 1e3;
    const auto us = [&](double fraction) {
        return static_cast<double>(r.latency.percentile_ns(fraction)) / 1e3;
    };
    const nlohmann::ordered_json out{
        {"address", options.address.text()},
        {"io_bytes", options.io_bytes},
        {"queue_depth", options.depth},
        {"busy_poll_us", options.busy_poll_us},
        {"seconds", r.seconds},
        {"reads", r.reads},
        {"failed", r.failed},
        {"iops", r.seconds > 0 ? static_cast<double>(r.reads) / r.seconds : 0},
        {"cpu_us_per_read", cpu_us / reads},
        {"cpu_user_share",
         r.seconds > 0 ? static_cast<double>(r.cpu_user_ns) / 1e9 / r.seconds : 0},
        {"cpu_system_share",
         r.seconds > 0 ? static_cast<double>(r.cpu_system_ns) / 1e9 / r.seconds : 0},
        {"doorbells_per_read", static_cast<double>(r.doorbells) / reads},
        {"turns_per_read", static_cast<double>(r.turns) / reads},
        {"sleeps_per_read", static_cast<double>(r.sleeps) / reads},
        {"mean_us", r.latency.mean_ns() / 1e3},
        {"p50_us", us(0.5)},
        {"p99_us", us(0.99)},
        {"p999_us", us(0.999)},
        {"max_us", static_cast<double>(r.latency.max_ns()) / 1e3},
    };
    const std::string text = out.dump(2) + "\n";
    std::FILE* const to = file == "-" ? stdout : std::fopen(file.c_str(), "w");
    bool written = to != nullptr && std::fwrite(text.data(), 1, text.size(), to) == text.size();
    if (to != nullptr && to != stdout) written &= std::fclose(to) == 0;
    if (!written) std::fprintf(stderr, "cannot write %s\n", file.c_str());
    return written;
}

}  // namespace fulmar::bench
