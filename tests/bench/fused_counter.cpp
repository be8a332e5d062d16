// fulmar-fused-counter: some hosts count in one block, each by fused pairs: read it, Compare what
// was read, Write one more. The answer is what each had to repeat, and the sum that the block
// tells, which must be exact. It is for a namespace whose content is nobody's.
//
// bench-links: base nvme engine mem host
#include <fulmar/host/controller.hpp>
#include <fulmar/host/deadline.hpp>
#include <fulmar/host/request.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace fulmar;
namespace sc = nvme::sc;

constexpr auto patience = std::chrono::seconds(60);

struct settings {
    host::endpoint at;
    std::string nqn;
    std::uint32_t nsid = 1;
    std::uint64_t lba = 0;
    std::uint32_t hosts = 4;
    std::uint32_t increments = 200;
};

struct outcome {
    std::string trouble;  ///< empty: none
    std::uint64_t missed = 0;
};

struct half final : host::request {
    half() : request([](host::request& r) noexcept { static_cast<half&>(r).ended = true; }) {}
    bool ended = false;
};

/// One host, with its name, identifier, controller and queue.
class counting_host {
  public:
    counting_host(const settings& s, std::uint32_t number) : settings_(s) {
        host::controller_options options;
        options.target = s.at;
        options.subnqn = s.nqn;
        options.hostnqn = fmt::format("nqn.2026-11.io.fulmar:counter-{}", number);
        options.hostid.bytes.fill(static_cast<std::uint8_t>(0xc0 + number));
        auto made = host::controller::connect(options);
        if (!made) {
            trouble_ = made.error().text();
            return;
        }
        controller_ = std::move(*made);
        auto opened = controller_->open_io_queue(1, 8);
        if (!opened) {
            trouble_ = opened.error().text();
            return;
        }
        queue_ = *opened;
        const auto page = controller_->identify_namespace(s.nsid);
        if (!page) {
            trouble_ = page.error().text();
            return;
        }
        block_bytes_ = 1u << page->lbaf[page->flbas & 0x0f].lbads;
    }

    outcome count() {
        outcome out;
        std::vector<std::byte> now(block_bytes_), next;
        for (std::uint32_t done = 0; done < settings_.increments && trouble_.empty();) {
            const std::uint64_t number = read(now);
            next = now;
            const std::uint64_t more = number + 1;
            std::memcpy(next.data(), &more, sizeof more);
            if (replace(now, next))
                ++done;
            else
                ++out.missed;
        }
        out.trouble = trouble_;
        return out;
    }
    /// What the block tells.
    std::uint64_t read(std::vector<std::byte>& into) {
        into.resize(block_bytes_);
        host::command what;
        what.sqe = block(nvme::io_opcode::read);
        what.direction = host::transfer::from_controller;
        what.data = into;
        std::uint64_t number = 0;
        if (!trouble_.empty()) return number;
        const auto got = host::execute(*queue_, what, host::deadline(patience));
        if (!got)
            trouble_ = got.error().text();
        else if (!got->ok())
            trouble_ = nvme::describe(got->status());
        std::memcpy(&number, into.data(), sizeof number);
        return number;
    }

  private:
    [[nodiscard]] nvme::sqe block(nvme::io_opcode opcode) const {
        nvme::sqe out{};
        out.opcode = static_cast<std::uint8_t>(opcode);
        out.nsid = settings_.nsid;
        nvme::encode_block_range(out, {.slba = settings_.lba, .blocks = 1});
        return out;
    }
    void send(half& r, nvme::io_opcode opcode, nvme::fuse how, std::vector<std::byte>& data) {
        r.command = block(opcode);
        r.command.flags = nvme::make_flags(how, nvme::psdt::sgl);
        r.data = data.data();
        r.data_bytes = static_cast<std::uint32_t>(data.size());
        r.direction = host::transfer::to_controller;
        r.data_in_capsule = true;
        if (queue_->submit(r) != host::submit_result::queued) trouble_ = "the queue is full";
    }
    /// Whether the block was `now` still, and is `next`.
    bool replace(std::vector<std::byte>& now, std::vector<std::byte>& next) {
        half first, second;
        send(first, nvme::io_opcode::compare, nvme::fuse::first, now);
        send(second, nvme::io_opcode::write, nvme::fuse::second, next);
        const host::deadline until(patience);
        while (trouble_.empty() && !(first.ended && second.ended) && !until.passed()) {
            queue_->wait(until);
            queue_->poll();
        }
        if (!first.ended || !second.ended) {
            queue_->close();  // it touches our buffers no more
            trouble_ = trouble_.empty() ? "a pair was not answered" : trouble_;
            return false;
        }
        if (nvme::is_success(first.status()) && nvme::is_success(second.status())) return true;
        if (!first.status().is(sc::compare_failure) ||
            !second.status().is(sc::aborted_failed_fused))
            trouble_ = fmt::format("a pair ended with {} and {}", nvme::describe(first.status()),
                                   nvme::describe(second.status()));
        return false;
    }

    const settings& settings_;
    std::unique_ptr<host::controller> controller_;
    host::queue* queue_ = nullptr;
    std::uint32_t block_bytes_ = 512;
    std::string trouble_;
};

int run(const settings& s) {
    counting_host reader(s, 0);
    std::vector<std::byte> found;
    const std::uint64_t before = reader.read(found);
    std::vector<outcome> outcomes(s.hosts);
    {
        std::vector<std::jthread> threads;
        for (std::uint32_t i = 0; i < s.hosts; ++i)
            threads.emplace_back([&, i] { outcomes[i] = counting_host(s, i + 1).count(); });
    }
    for (const outcome& one : outcomes)
        if (!one.trouble.empty()) {
            fmt::print(stderr, "{}\n", one.trouble);
            return 1;
        }
    const std::uint64_t sum = reader.read(found) - before;
    const std::uint64_t expected = std::uint64_t{s.hosts} * s.increments;
    std::uint64_t missed = 0;
    for (const outcome& one : outcomes) missed += one.missed;
    fmt::print("{} hosts counted {} times each: {} of {}; {} pairs missed and were repeated\n",
               s.hosts, s.increments, sum, expected, missed);
    return sum == expected ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    settings s;
    CLI::App app{"Hosts that count in one block by fused Compare and Write."};
    app.add_option("--address", s.at.address)->capture_default_str();
    app.add_option("--port", s.at.port)->capture_default_str();
    app.add_option("--nqn", s.nqn, "of the subsystem")->required();
    app.add_option("--nsid", s.nsid)->capture_default_str();
    app.add_option("--lba", s.lba, "of the block")->capture_default_str();
    app.add_option("--hosts", s.hosts)->check(CLI::Range(1u, 32u))->capture_default_str();
    app.add_option("--increments", s.increments, "of each")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    return run(s);
}
