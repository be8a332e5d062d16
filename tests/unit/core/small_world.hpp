// A whole target on two reactors that a test turns by hand, and a host's queue into it without any
// transport: commands go in, answers come out. Time moves when the test says so.
#pragma once

#include "support/failing_memory.hpp"

#include <fulmar/backend/ram_device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/core/controller.hpp>
#include <fulmar/core/namespace_observer.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/mem/buffer_pool.hpp>
#include <fulmar/mem/memory_source.hpp>
#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/fabrics.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fulmar::core::test {

inline constexpr std::string_view subsystem_nqn = "nqn.2024-01.test:world";
inline constexpr std::string_view host_nqn = "nqn.2024-01.test:host";

struct reply {
    nvme::status status{};
    std::uint32_t dw0 = 0;
    std::vector<std::byte> data{};

    template <typename T>
    [[nodiscard]] T as() const {
        return nvme::read_wire<T>(data).value();
    }
};

/// One connection of a host.
class host_queue final : public qpair {
  public:
    explicit host_queue(poll_group& group, std::string_view listener = "test")
        : qpair(group), listener_(listener) {
        for (int i = 0; i < 64; ++i) slots_.push_back(std::make_unique<slot>());
        group.load.fetch_add(1);
        group.add(*this);
    }

    /// Sends `command` with room for `buffer_bytes` of answer, or with `data` to be fetched.
    /// Returns its index.
    std::size_t send(nvme::sqe command, std::uint32_t buffer_bytes = 0,
                     std::span<const std::byte> data = {}, bool in_capsule = false) {
        std::size_t index = 0;
        while (slots_.at(index)->request.state() != request_state::idle || slots_[index]->answer)
            ++index;
        slot& s = *slots_[index];
        command.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
        command.cid = static_cast<std::uint16_t>(index);
        s.request.sqe = command;
        s.request.owner = this;
        s.outgoing.assign(data.begin(), data.end());
        s.request.sgl_bytes = data.empty() ? buffer_bytes : static_cast<std::uint32_t>(data.size());
        if (in_capsule) s.request.in_capsule = s.outgoing;
        const fulmar::test::watched_memory counts;
        on_command(s.request);
        return index;
    }

    /// The answer, once it is there; taking it makes the slot free.
    std::optional<reply> take(std::size_t index) {
        return std::exchange(slots_.at(index)->answer, std::nullopt);
    }

    /// What a transport does between two turns.
    void pump() {
        for (const auto& s : slots_) {
            if (std::exchange(s->wants_data, false)) on_data(s->request, nvme::sc::success);
            if (std::exchange(s->leaving, false)) on_answered(s->request);
        }
    }

    [[nodiscard]] bool retired() const { return retired_; }

  private:
    struct slot {
        core::request request;
        std::vector<std::byte> outgoing;
        std::optional<reply> answer;
        bool wants_data = false;
        bool leaving = false;
    };

    slot& slot_of(const core::request& r) { return *slots_.at(r.cid()); }

    void fetch_data(core::request& r) noexcept override {
        r.chain.copy_in(0, slot_of(r).outgoing);
        slot_of(r).wants_data = true;
    }
    void answer(core::request& r) noexcept override {
        const fulmar::test::unwatched_memory ours;
        slot& s = slot_of(r);
        s.answer = reply{.status = r.status, .dw0 = r.dw0};
        if (r.answers_with_data()) {
            s.answer->data.resize(r.length);
            if (r.in_place != nullptr)
                std::memcpy(s.answer->data.data(), r.in_place, r.length);
            else
                r.chain.copy_out(0, s.answer->data);
        }
        if (stopped_) return on_answered(r);
        s.leaving = true;
    }
    void stop() noexcept override {
        stopped_ = true;
        for (const auto& s : slots_) {
            if (std::exchange(s->leaving, false)) on_answered(s->request);
            if (std::exchange(s->wants_data, false))
                on_data(s->request, nvme::sc::transient_transport_error);
        }
    }
    void for_each_request(void (*visit)(core::request&, void*), void* context) noexcept override {
        for (const auto& s : slots_)
            if (s->request.state() != request_state::idle) visit(s->request, context);
    }
    bool grow(std::uint32_t) noexcept override { return true; }
    void retire() noexcept override { retired_ = true; }
    void describe(connection_status&) const override {}
    [[nodiscard]] std::string_view listener_name() const noexcept override { return listener_; }

    std::string listener_;
    std::vector<std::unique_ptr<slot>> slots_;
    bool stopped_ = false;
    bool retired_ = false;
};

/// The target, with one subsystem of two RAM namespaces, 1 and 2; any host may come.
class small_world {
  public:
    /// `policy` is what both namespaces have of it: what happens when their device is lost.
    explicit small_world(device_factory make_device = &make_ram, const namespace_spec& policy = {},
                         namespace_memory* memory = nullptr, namespace_observer* events = nullptr) {
        target_ =
            std::make_unique<target>(*control_, target::setup{.limits = {},
                                                              .make_device = std::move(make_device),
                                                              .memory = memory,
                                                              .events = events});
        group_ = &target_->add_poll_group(
            *data_, mem::buffer_pool::create(memory_, {.bytes = 16u << 20}).value());
        target_spec spec;
        subsystem_spec subsystem;
        subsystem.nqn = subsystem_nqn;
        subsystem.allow_any_host = true;
        for (std::uint32_t number = 1; number <= 2; ++number) {
            device_spec& device = spec.devices.emplace_back();
            device.name = "ram" + std::to_string(number);
            device.type = "ram";
            device.size_bytes = 1u << 20;
            namespace_spec& made = subsystem.namespaces.emplace_back(policy);
            made.nsid = number;
            made.device = device.name;
        }
        spec.subsystems.push_back(subsystem);
        bool started = false;
        target_->start(
            spec, [](const error& e) { ADD_FAILURE() << e.text(); }, [&] { started = true; });
        EXPECT_TRUE(turn_until([&] { return started; }));
    }
    ~small_world() {
        bool done = false;
        target_->shut_down([&] { done = true; });
        for (int i = 0; i < 100 && !done; ++i) {
            advance(std::chrono::milliseconds(10));
            turn();
        }
        EXPECT_TRUE(done);
        for (const auto& q : queues_) EXPECT_TRUE(q->retired());
        queues_.clear();
    }

    void turn() {
        const fulmar::test::watched_memory counts;
        for (int i = 0; i < 4; ++i) {
            control_->run_once();
            data_->run_once();
            for (const auto& q : queues_) q->pump();
        }
    }
    template <typename Condition>
    bool turn_until(Condition&& condition) {
        for (int i = 0; i < 200; ++i) {
            if (condition()) return true;
            turn();
        }
        return false;
    }
    void advance(duration by) { clock_.advance(by); }

    /// Who connects from now on.
    struct host_name {
        std::string_view nqn = host_nqn;
        std::uint8_t identifier = 0x11;      ///< all bytes of it
        std::string_view listener = "test";  ///< and by which one
    };
    void be(const host_name& who) { who_ = who; }
    [[nodiscard]] poll_group& group() { return *group_; }

    host_queue& new_queue() {
        queues_.push_back(std::make_unique<host_queue>(*group_, who_.listener));
        return *queues_.back();
    }

    /// What a transport does with queues that have retired.
    void destroy_retired() {
        std::erase_if(queues_, [](const auto& q) { return q->retired(); });
    }

    /// Sends and waits for the answer.
    reply call(host_queue& q, const nvme::sqe& command, std::uint32_t buffer_bytes = 0,
               std::span<const std::byte> data = {}, bool in_capsule = false) {
        const std::size_t index = q.send(command, buffer_bytes, data, in_capsule);
        std::optional<reply> answer;
        EXPECT_TRUE(turn_until([&] { return (answer = q.take(index)).has_value(); }));
        return answer.value_or(reply{.status = nvme::sc::internal_error});
    }

    reply connect(host_queue& q, std::string_view nqn, std::uint16_t qid, std::uint16_t controller,
                  std::uint32_t keep_alive_ms = 0) {
        auto command = nvme::make_fabrics_command<nvme::connect_command>(nvme::fctype::connect, 0);
        command.qid = qid;
        command.sqsize = std::uint16_t{31};
        command.kato_ms = keep_alive_ms;
        nvme::connect_data data{};
        data.hostid.fill(who_.identifier);
        data.cntlid = controller;
        nvme::copy_nul_padded(data.subnqn, nqn);
        nvme::copy_nul_padded(data.hostnqn, who_.nqn);
        return call(q, nvme::to_sqe(command), 0, nvme::wire_bytes(data), true);
    }

    /// An enabled controller's admin queue.
    host_queue& connect_admin(std::string_view nqn = subsystem_nqn,
                              std::uint32_t keep_alive_ms = 0) {
        host_queue& q = new_queue();
        const reply granted =
            connect(q, nqn, std::uint16_t{0}, nvme::cntlid_dynamic, keep_alive_ms);
        EXPECT_TRUE(nvme::is_success(granted.status)) << nvme::describe(granted.status);
        controller_ = static_cast<std::uint16_t>(granted.dw0 & 0xffffu);
        EXPECT_TRUE(nvme::is_success(configure(q, true).status));
        return q;
    }
    /// Of the last admin queue.
    [[nodiscard]] std::uint16_t controller_number() const { return controller_; }

    reply configure(host_queue& q, bool enable) {
        auto command =
            nvme::make_fabrics_command<nvme::property_set_command>(nvme::fctype::property_set, 0);
        command.ofst = nvme::register_offset::cc;
        command.value =
            nvme::controller_configuration{.en = enable, .iosqes = 6, .iocqes = 4}.pack();
        return call(q, nvme::to_sqe(command));
    }

    /// Kept alive by the caller until it is answered.
    void submit(control_request& request) noexcept { target_->submit(request); }
    /// What an administrator changes; what he is answered.
    control_answer change(core::change what) {
        auto outcome = try_change(std::move(what));
        EXPECT_TRUE(outcome.has_value()) << outcome.error().text();
        return outcome ? std::move(*outcome) : control_answer{};
    }
    /// What is answered.
    result<control_answer> try_change(core::change what) {
        struct sink : control_request {
            using control_request::control_request;
            bool answered = false;
        };
        auto request = sink(std::move(what), false, [](control_request& r) noexcept {
            static_cast<sink&>(r).answered = true;
        });
        target_->submit(request);
        EXPECT_TRUE(turn_until([&] { return request.answered; }));
        return std::move(request.outcome);
    }

  private:
    static result<std::unique_ptr<backend::device>> make_ram(const device_spec& spec) {
        return backend::make_ram_device(
            {.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
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
    std::unique_ptr<engine::reactor> control_ = make_reactor(clock_, 0);
    std::unique_ptr<engine::reactor> data_ = make_reactor(clock_, 1);
    std::unique_ptr<target> target_;
    poll_group* group_ = nullptr;
    std::vector<std::unique_ptr<host_queue>> queues_;
    std::uint16_t controller_ = 0;
    host_name who_;
};

/// A command of the admin queue.
[[nodiscard]] inline nvme::sqe admin(nvme::admin_opcode opcode, std::uint32_t number = 0) {
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(opcode);
    command.nsid = number;
    return command;
}

}  // namespace fulmar::core::test
