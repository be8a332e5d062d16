// fulmar-drive-load: random reads of one NVMe drive through the driver alone, with no fabric before
// it: the same reactors, queues and interrupts as in fulmard, and nothing else. The drive must be
// bound to vfio-pci, and no fulmard may have it. The answer is JSON.
//
// bench-links: base nvme engine mem vfio backend host
#include "bench/drive_load/report.hpp"
#include "bench/drive_load/session.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

int main(int argc, char** argv) {
    using namespace fulmar;
    bench::drive_load_options options;
    std::string address;
    std::string file = "-";
    CLI::App app{"Random reads of a drive through Fulmar's driver alone."};
    app.add_option("address", address, "where the drive is: 0000:0b:00.0")->required();
    app.add_option("--queue-depth", options.depth, "reads under way")
        ->check(CLI::Range(1u, bench::drive_load_options::most_depth))
        ->capture_default_str();
    app.add_option("--block-size", options.io_bytes, "bytes of one read: a multiple of 4096")
        ->check(CLI::Range(4096u, 1u << 20))
        ->capture_default_str();
    app.add_option("--size", options.region_bytes, "of the region, from the drive's first block")
        ->transform(CLI::AsSizeValue(false));
    app.add_option("--seconds", options.seconds)->capture_default_str();
    app.add_option("--warmup", options.warmup_seconds, "seconds before counting")
        ->capture_default_str();
    app.add_option("--busy-poll-us", options.busy_poll_us,
                   "how long a reactor polls before it sleeps")
        ->capture_default_str();
    app.add_option("--cpu", options.cpu, "of the data reactor; default: the first");
    app.add_option("--json", file, "write the result there (- for stdout)")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    const auto where = vfio::parse_pci_address(address);
    if (!where) {
        std::fprintf(stderr, "%s\n", where.error().text().c_str());
        return 2;
    }
    options.address = *where;
    const auto done = bench::run_drive_load(options);
    if (!done) {
        std::fprintf(stderr, "%s\n", done.error().text().c_str());
        return 1;
    }
    if (!bench::write_drive_report(*done, options, file)) return 1;
    return done->failed == 0 ? 0 : 1;
}
