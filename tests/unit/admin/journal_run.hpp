// A run of the daemon as far as the journal sees it, on a disk that forgets.
#pragma once

#include "change_json.hpp"
#include "journal_format.hpp"
#include "spec_editor.hpp"
#include "support/eventually.hpp"
#include "support/forgetful_disk.hpp"
#include "turn_runner.hpp"

#include <fulmar/admin/journal.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/reactor.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace fulmar::admin::testing_support {

inline const std::string config_path = "/etc/fulmar/f.json";
inline const std::string journal_file = config_path + ".journal";

inline loaded_config loaded(const std::string& text) {
    loaded_config out{parse_config_leniently(text).value(), text, digest_of(text)};
    resolve_paths(out.config, "/etc/fulmar");
    return out;
}

/// A run of the daemon, as far as the journal sees it.
class run {
  public:
    /// `helpers`: has its jobs; null: they have threads of their own.
    explicit run(test::forgetful_disk& files, journal::options opts = {},
                 turn_runner* helpers = nullptr)
        : disk(files), jobs(helpers) {
        opts.config_path = config_path;
        opts.files = &files;
        opts.retry_delay = std::chrono::milliseconds(1);
        auto opened = journal::open(opts, loaded(files.text(config_path)));
        if (!opened) {
            trouble = opened.error();
            return;
        }
        log = std::move(opened->log);
        found = std::move(opened->spec);
        notes = std::move(opened->notes);
        remarks = std::move(opened->remarks);
        model = std::make_unique<spec_editor>(found);
        log->run_on(*reactor, files);
    }

    /// A journal that is not stopped leaves its helper's job behind, and that has the disk.
    ~run() {
        log.reset();
        if (jobs != nullptr) jobs->run_all();
        EXPECT_TRUE(engine::helper_job::wait_for_all(std::chrono::seconds(20)));
        while (reactor->run_once()) {}  // one that had ended before is in the mailbox
        disk.refuse_queued();           // a journal lives as long as its write
    }
    run(const run&) = delete;
    run& operator=(const run&) = delete;

    struct ack final : core::change_log::waiter {
        void on_durable(result<void> outcome) noexcept override { answer = std::move(outcome); }
        std::optional<result<void>> answer;
    };

    ack& append(const core::change& change) {
        EXPECT_TRUE(model->apply(change).has_value());
        acks.push_back(std::make_unique<ack>());
        log->append(change, ++revision, acks.back().get());
        return *acks.back();
    }

    template <typename Condition>
    bool until(Condition&& condition) {
        return test::eventually(condition, std::chrono::seconds(30), [this] { turn_once(); });
    }
    void turn_once() {
        if (disk.complete_one() || reactor->run_once()) return;
        if (jobs != nullptr)
            jobs->run_one();
        else
            std::this_thread::yield();
    }

    /// A clean stop (as clean as the disk allows).
    void stop() {
        bool stopped = false;
        log->stop(std::chrono::seconds(20), [&] { stopped = true; });
        EXPECT_TRUE(until([&] { return stopped; }));
        log.reset();
        if (jobs != nullptr) jobs->run_all();
    }

    test::forgetful_disk& disk;
    turn_runner* jobs;
    monotonic_clock clock;
    std::unique_ptr<engine::reactor> reactor =
        engine::reactor::create(
            {.id = {}, .busy_window = {}, .clock = &clock, .descriptors = false})
            .value();
    std::unique_ptr<journal> log;
    std::optional<error> trouble;
    core::target_spec found;
    std::vector<std::string> notes;
    std::vector<std::string> remarks;
    std::unique_ptr<spec_editor> model;
    std::vector<std::unique_ptr<ack>> acks;
    std::uint64_t revision = 0;
};

inline core::create_device device(const std::string& name) {
    return {{.name = name, .type = "ram", .size_bytes = 4096}};
}

inline std::vector<std::string> device_names(const core::target_spec& spec) {
    std::vector<std::string> out;
    for (const auto& one : spec.devices) out.push_back(one.name);
    return out;
}

struct journal_test : testing::Test {
    journal_test() { disk.put(config_path, "{}\n"); }
    void SetUp() override { fulmar::log::set_level(fulmar::log::level::off); }
    void TearDown() override { fulmar::log::set_level(fulmar::log::level::info); }
    test::forgetful_disk disk{1};
};

}  // namespace fulmar::admin::testing_support
