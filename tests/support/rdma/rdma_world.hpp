// A whole target on two reactors that a test turns by hand, with the RDMA transport over fake
// verbs; and a host that speaks NVMe/RDMA to it. Time moves when the test says so.
#pragma once

#include "support/failing_memory.hpp"
#include "support/rdma/fake_fabric.hpp"
#include "support/spy_device.hpp"
#include "transport/rdma/rdma_control.hpp"

#include <fulmar/backend/ram_device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/mem/buffer_pool.hpp>
#include <fulmar/mem/memory_source.hpp>
#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::transport::rdma::test {

inline constexpr std::string_view nqn = "nqn.2024-01.test:rdma";
inline constexpr std::string_view host_nqn = "nqn.2024-01.test:host";
inline constexpr std::string_view other_host_nqn = "nqn.2024-01.test:other";
inline constexpr std::uint32_t block_bytes = 512;

/// Subsystem with namespace 1 on RAM and 2 on a device that holds its operations on command.
class rdma_world {
  public:
    explicit rdma_world(std::uint64_t seed = 1, const fake_manners& fault_profile = {},
                        const core::target_options& options = {}, std::uint16_t reactors = 1)
        : fabric_(seed, fault_profile) {
        target_ = std::make_unique<core::target>(
            *control_, core::target::setup{.limits = options, .make_device = spy_.factory()});
        group_ = &target_->add_poll_group(
            *data_, mem::buffer_pool::create(memory_, {.bytes = 16u << 20}).value());
        for (std::uint16_t i = 1; i < reactors; ++i) {
            more_.push_back(make_reactor(clock_, static_cast<std::uint16_t>(i + 1)));
            target_->add_poll_group(
                *more_.back(), mem::buffer_pool::create(memory_, {.bytes = 16u << 20}).value());
        }
        auto made = std::make_unique<rdma_control>(*target_, fabric_.make_source());
        rdma_ = made.get();
        EXPECT_TRUE(target_->add_transport(std::move(made)));
        core::target_spec spec;
        spec.listeners.push_back({.transport = "rdma", .address = "10.0.0.1", .port = 4420});
        core::subsystem_spec s;
        s.nqn = nqn;
        s.allow_any_host = true;
        for (std::uint32_t number = 1; number <= 2; ++number) {
            core::device_spec& d = spec.devices.emplace_back();
            d.name = "d" + std::to_string(number);
            d.type = number == 1 ? "ram" : "spy";
            d.size_bytes = 8u << 20;
            s.namespaces.push_back({.nsid = number, .device = d.name});
        }
        spec.subsystems.push_back(s);
        bool started = false;
        target_->start(
            spec, [](const error& e) { ADD_FAILURE() << e.text(); }, [&] { started = true; });
        EXPECT_TRUE(turn_until([&] { return started; }));
        free_at_rest_ = group_->pool().free_chunks();
    }
    ~rdma_world() {
        spy_.hold(false);
        fabric_.hold(false);
        bool done = false;
        target_->shut_down([&] { done = true; });
        for (int i = 0; i < 2000 && !done; ++i) {
            advance(std::chrono::milliseconds(10));
            turn();
        }
        EXPECT_TRUE(done);
        EXPECT_TRUE(target_->at_rest());
        for (int i = 0; i < 10; ++i) turn();
        EXPECT_EQ(group_->pool().free_chunks(), free_at_rest_) << "buffers are missing";
        EXPECT_EQ(fabric_.live().queue_pairs, 0);
        EXPECT_EQ(fabric_.live().identifiers, 0);
        EXPECT_EQ(fabric_.missing_receives(), 0u) << "receive slots are lost";
        target_.reset();
        EXPECT_EQ(fabric_.live().verbs(), 0);
        for (const std::string& b : fabric_.violations()) ADD_FAILURE() << b;
    }

    void turn() {
        for (int i = 0; i < 4; ++i) {
            run_reactors();
            fabric_.step();
        }
    }
    /// Whether allocations of the target count, for failing_memory.
    void watch_memory(bool on) { watches_ = on; }
    /// One of the two alone: the other one is slow.
    void turn_control() { control_->run_once(); }
    void turn_data() { data_->run_once(); }
    template <typename Condition>
    bool turn_until(Condition&& condition, int turns = 400) {
        for (int i = 0; i < turns; ++i) {
            if (condition()) return true;
            turn();
        }
        return condition();
    }
    /// The same while time passes.
    template <typename Condition>
    bool pass_until(Condition&& condition, duration limit) {
        const instant end = clock_.now() + limit;
        while (!condition()) {
            if (clock_.now() >= end) return false;
            advance(std::chrono::milliseconds(5));
            turn();
        }
        return true;
    }
    void advance(duration by) { clock_.advance(by); }
    [[nodiscard]] instant now() const { return clock_.now(); }

    static nvme::rdma::cm_request request(std::uint16_t qid, std::uint16_t entries = 32) {
        nvme::rdma::cm_request r{};
        r.qid = qid;
        r.hrqsize = entries;
        r.hsqsize = static_cast<std::uint16_t>(entries - 1);
        return r;
    }

    /// Connected as far as the connection manager goes.
    std::shared_ptr<fake_host> open(std::uint16_t qid, std::uint16_t entries = 32) {
        auto host = fabric_.connect(request(qid, entries));
        EXPECT_TRUE(turn_until([&] { return host->now != fake_host::state::connecting; }));
        return host;
    }

    static std::string tell(const fake_host& host, const std::optional<host_answer>& answer) {
        return fmt::format("host in state {}, answer {}", static_cast<int>(host.now),
                           answer ? fmt::format("{}", answer->entry.get_status().sc) : "none");
    }
    /// The answer to command `cid`, once it is there.
    std::optional<host_answer> take(fake_host& host, std::uint16_t cid) {
        for (auto at = host.answers.begin(); at != host.answers.end(); ++at)
            if (at->entry.cid.value() == cid) {
                const host_answer a = *at;
                host.answers.erase(at);
                return a;
            }
        return std::nullopt;
    }
    std::optional<host_answer> wait(fake_host& host, std::uint16_t cid) {
        std::optional<host_answer> got;
        turn_until([&] { return (got = take(host, cid)).has_value(); });
        return got;
    }
    nvme::status call(fake_host& host, nvme::sqe c, std::span<const std::byte> extra = {}) {
        host.send(c, extra);
        const auto a = wait(host, c.cid.value());
        return a ? a->entry.get_status() : nvme::sc::internal_error;
    }

    /// The host that connects from now on.
    void be(std::string_view name) { name_ = name; }
    [[nodiscard]] nvme::connect_data connect_data(std::uint16_t cntlid) const {
        nvme::connect_data d{};
        d.hostid.fill(0x11);
        d.cntlid = cntlid;
        nvme::copy_nul_padded(d.subnqn, nqn);
        nvme::copy_nul_padded(d.hostnqn, name_);
        return d;
    }
    static nvme::sqe connect_command(std::uint16_t qid, std::uint16_t entries,
                                     const nvme::sgl_descriptor& where) {
        auto c = nvme::make_fabrics_command<nvme::connect_command>(nvme::fctype::connect, 7);
        c.qid = qid;
        c.sqsize = static_cast<std::uint16_t>(entries - 1);
        nvme::sqe raw = nvme::to_sqe(c);
        raw.sgl1 = where;
        return raw;
    }
    static nvme::sqe enable_command() {
        auto set =
            nvme::make_fabrics_command<nvme::property_set_command>(nvme::fctype::property_set, 8);
        set.ofst = nvme::register_offset::cc;
        set.value = nvme::controller_configuration{.en = true, .iosqes = 6, .iocqes = 4}.pack();
        nvme::sqe raw = nvme::to_sqe(set);
        raw.sgl1 = nvme::make_keyed_sgl(0, 0, 0);
        return raw;
    }
    /// Identify Controller into `page`.
    static nvme::sqe identify_command(std::uint16_t cid, const host_memory& page) {
        nvme::sqe c{};
        c.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::identify);
        c.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
        c.cid = cid;
        c.cdw10 = 1u;
        c.sgl1 = nvme::make_keyed_sgl(page.address, 4096, page.key);
        return c;
    }

    /// An enabled controller's admin queue, its Connect's data fetched by the target.
    std::shared_ptr<fake_host> admin() {
        auto host = open(0);
        host_memory& m = host->add_memory(sizeof(nvme::connect_data));
        const auto data = connect_data(nvme::cntlid_dynamic);
        std::memcpy(m.bytes.data(), &data, sizeof data);
        host->send(connect_command(0, 32, nvme::make_keyed_sgl(m.address, 1024, m.key)));
        const auto granted = wait(*host, 7);
        EXPECT_TRUE(granted && nvme::is_success(granted->entry.get_status()))
            << tell(*host, granted);
        if (granted) controller_ = static_cast<std::uint16_t>(granted->entry.dw0.value() & 0xffff);
        EXPECT_TRUE(nvme::is_success(call(*host, enable_command())));
        return host;
    }
    /// An I/O queue of the last controller, its Connect's data in the capsule.
    std::shared_ptr<fake_host> io(std::uint16_t qid = 1, std::uint16_t entries = 32) {
        auto host = open(qid, entries);
        const auto data = connect_data(controller_);
        host->send(connect_command(qid, entries, nvme::make_in_capsule_sgl(0, 1024)),
                   nvme::wire_bytes(data));
        const auto granted = wait(*host, 7);
        EXPECT_TRUE(granted && nvme::is_success(granted->entry.get_status()));
        return host;
    }

    static nvme::sqe command(nvme::io_opcode opcode, std::uint16_t cid, std::uint64_t lba,
                             std::uint32_t bytes, std::uint32_t nsid = 1) {
        nvme::sqe c{};
        c.opcode = static_cast<std::uint8_t>(opcode);
        c.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
        c.cid = cid;
        c.nsid = nsid;
        c.set_cdw10_11(lba);
        c.cdw12 = bytes / block_bytes - 1;
        return c;
    }
    /// Its data in `m`, by one key.
    static nvme::sqe keyed(nvme::io_opcode opcode, std::uint16_t cid, std::uint64_t lba,
                           const host_memory& m, std::uint32_t nsid = 1, bool invalidate = false) {
        const auto bytes = static_cast<std::uint32_t>(m.bytes.size());
        nvme::sqe c = command(opcode, cid, lba, bytes, nsid);
        c.sgl1 = nvme::make_keyed_sgl(m.address, bytes, m.key, invalidate);
        return c;
    }

    /// Its data comes in the capsule.
    static nvme::sqe in_capsule_write(std::uint16_t cid, std::uint64_t lba, std::uint32_t bytes,
                                      std::uint32_t nsid = 1) {
        nvme::sqe c = command(nvme::io_opcode::write, cid, lba, bytes, nsid);
        c.sgl1 = nvme::make_in_capsule_sgl(0, bytes);
        return c;
    }

    [[nodiscard]] fake_fabric& fabric() { return fabric_; }
    [[nodiscard]] testing::spy& spy() { return spy_; }
    [[nodiscard]] core::target& target() { return *target_; }
    [[nodiscard]] core::poll_group& group() { return *group_; }
    [[nodiscard]] rdma_control& rdma() { return *rdma_; }
    [[nodiscard]] std::uint32_t free_at_rest() const { return free_at_rest_; }
    /// The sum of a counter or gauge over reactors; -1: there is none of that name.
    [[nodiscard]] double counter(std::string_view name) const {
        core::counters_report all;
        rdma_->report(all);
        double sum = -1;
        for (const core::counter_sample& s : all.samples)
            if (s.name == name) sum = std::max(sum, 0.0) + s.value;
        return sum;
    }
    core::listener_status listener() {
        struct sink : core::control_request {
            using control_request::control_request;
            bool answered = false;
        };
        sink request(
            core::query(core::list_listeners{}), false,
            [](core::control_request& r) noexcept { static_cast<sink&>(r).answered = true; });
        target_->submit(request);
        EXPECT_TRUE(turn_until([&] { return request.answered; }));
        return std::get<std::vector<core::listener_status>>(*request.outcome).at(0);
    }

  private:
    void run_reactors() {
        std::optional<fulmar::test::watched_memory> counts;
        if (watches_) counts.emplace();
        control_->run_once();
        data_->run_once();
        for (const auto& r : more_) r->run_once();
    }
    static std::unique_ptr<engine::reactor> make_reactor(manual_clock& clock,
                                                         std::uint16_t number) {
        return engine::reactor::create({.id = reactor_id(number),
                                        .busy_window = {},
                                        .clock = &clock,
                                        .descriptors = false})
            .value();
    }

    mem::heap_memory memory_;
    manual_clock clock_;
    testing::spy spy_;
    fake_fabric fabric_;
    std::unique_ptr<engine::reactor> control_ = make_reactor(clock_, 0);
    std::unique_ptr<engine::reactor> data_ = make_reactor(clock_, 1);
    std::vector<std::unique_ptr<engine::reactor>> more_;
    std::unique_ptr<core::target> target_;
    core::poll_group* group_ = nullptr;
    rdma_control* rdma_ = nullptr;
    std::uint16_t controller_ = 0;
    std::string name_{host_nqn};
    bool watches_ = false;
    std::uint32_t free_at_rest_ = 0;
};

inline void fill(host_memory& m, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::byte& b : m.bytes) b = static_cast<std::byte>(random());
}

}  // namespace fulmar::transport::rdma::test
