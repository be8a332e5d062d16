// Every allocation on the way of a change of the target fails once: its answer, what is recorded
// and what is so afterwards agree.
#include "support/failing_memory.hpp"

#include <fulmar/backend/ram_device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/core/fields/field_compare.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/mem/buffer_pool.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace fulmar::core {
namespace {

class quiet_listener final : public listener {
  public:
    explicit quiet_listener(listener_spec spec) : spec_(std::move(spec)) {}
    listener_status status() const override {
        listener_status s;
        s.spec = spec_;
        return s;
    }

  private:
    listener_spec spec_;
};

class quiet_transport final : public transport {
  public:
    std::string_view name() const noexcept override { return "quiet"; }
    result<std::unique_ptr<listener>> listen(const listener_spec& spec, listen_mode) override {
        return std::make_unique<quiet_listener>(spec);
    }
    result<std::unique_ptr<transport_group>> create_group(poll_group&) override {
        return std::make_unique<transport_group>();
    }
};

struct counting_log final : change_log {
    void append(const change&, std::uint64_t, waiter* w) noexcept override {
        const fulmar::test::unwatched_memory enough;
        ++records;
        if (w != nullptr) w->on_durable({});
    }
    [[nodiscard]] bool knows(const change&) const noexcept override { return false; }
    int records = 0;
};

result<std::unique_ptr<backend::device>> make_ram(const device_spec& spec) {
    return backend::make_ram_device(
        {.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
}

struct asked final : control_request {
    explicit asked(change what, bool durable)
        : control_request(std::move(what), durable, [](control_request& r) noexcept {
              static_cast<asked&>(r).answered = true;
          }) {}
    explicit asked(query what)
        : control_request(std::move(what), false, [](control_request& r) noexcept {
              static_cast<asked&>(r).answered = true;
          }) {}
    bool answered = false;
};

class change_without_memory : public ::testing::Test {
  protected:
    change_without_memory() {
        target_ = std::make_unique<target>(
            *control_, target::setup{.limits = {}, .make_device = &make_ram, .log = &log_});
        target_->add_poll_group(*data_,
                                mem::buffer_pool::create(memory_, {.bytes = 1u << 20}).value());
        EXPECT_TRUE(target_->add_transport(std::make_unique<quiet_transport>()));
        bool started = false;
        target_->start(
            {}, [](const error& e) { ADD_FAILURE() << e.text(); }, [&] { started = true; });
        EXPECT_TRUE(turn_until([&] { return started; }));
    }
    ~change_without_memory() override {
        bool done = false;
        target_->shut_down([&] { done = true; });
        for (int i = 0; i < 100 && !done; ++i) {
            clock_.advance(std::chrono::milliseconds(10));
            turn_until([&] { return done; });
        }
        EXPECT_TRUE(done);
    }

    template <typename Condition>
    bool turn_until(Condition&& condition) {
        for (int i = 0; i < 200 && !condition(); ++i) {
            control_->run_once();
            data_->run_once();
        }
        return condition();
    }
    result<control_answer> outcome_of(asked& request) {
        target_->submit(request);
        const bool came = turn_until([&] { return request.answered; });
        const fulmar::test::unwatched_memory enough;
        EXPECT_TRUE(came);
        return std::move(request.outcome);
    }
    target_spec now() {
        asked request{query(get_spec{})};
        return std::get<target_spec>(outcome_of(request).value());
    }
    void must(change what) {
        asked request(std::move(what), false);
        const auto outcome = outcome_of(request);
        EXPECT_TRUE(outcome) << outcome.error().text();
    }

    /// Does `what` without each allocation in turn, and afterwards `undo`. Returns how many failed.
    std::uint64_t each(const change& what, const change& undo) {
        return fulmar::test::fail_each_allocation([&](std::uint64_t nth) {
            const target_spec before = now();
            const int records = log_.records;
            asked request(what, true);
            result<control_answer> outcome;
            {
                const fulmar::test::watched_memory counts;
                outcome = outcome_of(request);
            }
            const bool changed = !(now() == before);
            const bool says_so = outcome ||
                                 outcome.error().message.find("was made") != std::string::npos ||
                                 outcome.error().message.find("was applied") != std::string::npos;
            EXPECT_EQ(changed, says_so)
                << nth << ": " << (outcome ? std::string("done") : outcome.error().text());
            EXPECT_EQ(log_.records - records, changed ? 1 : 0) << nth;
            if (!outcome) {
                EXPECT_EQ(outcome.error().code, errc::no_memory);
            }
            if (changed) must(undo);
            EXPECT_EQ(now(), before) << nth;
        });
    }

    mem::heap_memory memory_;
    manual_clock clock_;
    counting_log log_;
    std::unique_ptr<engine::reactor> control_ = make_reactor(0);
    std::unique_ptr<engine::reactor> data_ = make_reactor(1);
    std::unique_ptr<target> target_;

  private:
    std::unique_ptr<engine::reactor> make_reactor(std::uint16_t number) {
        return engine::reactor::create({.id = reactor_id(number),
                                        .busy_window = {},
                                        .clock = &clock_,
                                        .descriptors = false})
            .value();
    }
};

// Longer than what a string holds without memory.
const std::string disk = "a disk with a name of more than a few letters";
device_spec ram(std::uint64_t bytes = 1u << 20) {
    device_spec spec;
    spec.name = disk;
    spec.type = "ram";
    spec.size_bytes = bytes;
    return spec;
}

TEST_F(change_without_memory, a_device_is_there_or_it_is_not) {
    EXPECT_GT(each(create_device{ram()}, delete_device{disk}), 3u);
    must(create_device{ram()});
    EXPECT_GT(each(delete_device{disk}, create_device{ram()}), 0u);
}

TEST_F(change_without_memory, a_device_has_one_size_and_one_description) {
    must(create_device{ram()});
    EXPECT_GT(each(resize_device{disk, 2u << 20, false}, resize_device{disk, 1u << 20, true}), 0u);
    device_spec described = ram();
    described.description = "kept in the second rack, behind the door";
    EXPECT_GT(each(modify_device{disk, edits_between(ram(), described)},
                   modify_device{disk, edits_between(described, ram())}),
              0u);
}

TEST_F(change_without_memory, a_listener_and_a_referral_are_there_or_they_are_not) {
    const listener_spec here{
        .transport = "quiet", .address = "an address that needs memory", .port = 4420};
    EXPECT_GT(each(add_listener{here}, remove_listener{here.name()}), 3u);
    must(add_listener{here});
    EXPECT_GT(each(remove_listener{here.name()}, add_listener{here}), 0u);
    const referral_spec there{
        .transport = "tcp", .address = "2001:0db8:0000:0000:0000:0000:0000:0001", .port = 8009};
    EXPECT_GT(each(add_referral{there}, remove_referral{there}), 0u);
    must(add_referral{there});
    EXPECT_GT(each(remove_referral{there}, add_referral{there}), 0u);
}

}  // namespace
}  // namespace fulmar::core
