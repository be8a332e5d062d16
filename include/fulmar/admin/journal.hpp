// The journal: makes acknowledged changes survive a crash. Changes are appended to a file beside
// the config file, many with one sync, and folded into the config file now and then and at a clean
// stop. Lives on the control reactor, which never blocks here: writes go through engine::file_io,
// and renames and folds run on a short-lived helper thread. A journal that cannot be written says
// so; it never lies.
#pragma once

#include <fulmar/admin/config.hpp>
#include <fulmar/admin/disk.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/core/control.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::engine {
class file_io;
class reactor;
}  // namespace fulmar::engine

namespace fulmar::admin {

struct config_history;
struct journal_base;

/// Counters, for /metrics.
struct journal_counters {
    std::uint64_t changes = 0;
    std::uint64_t writes = 0;  ///< each with one sync, and at most one more for the acknowledged
                               ///< length; changes ÷ writes is the size of a group
    std::uint64_t bytes = 0;
    std::uint64_t folds = 0;
    std::uint64_t failures = 0;
    std::uint64_t unfolded = 0;  ///< changes that the config file does not have (not a counter)
};

class journal final : public core::change_log {
  public:
    struct options {
        std::string config_path = {};
        std::string state_dir = {};  ///< empty: beside the config file
        disk* files = nullptr;       ///< null: the real one
        std::uint64_t fold_bytes =
            1024 * 1024;  ///< a longer journal is folded into the config file
        duration fold_pause = std::chrono::seconds(5);  ///< changes have paused for so long: fold
        duration fold_longest = std::chrono::seconds(60);  ///< they never pause: fold all the same
        duration retry_delay = std::chrono::seconds(1);    ///< after a failed write
    };

    struct opened {
        std::unique_ptr<journal> log;
        core::target_spec spec;  ///< the file's, with the journal's changes in it; paths resolved;
                                 ///< broken objects are set aside
        std::vector<std::string> notes;    ///< what the operator should know of
        std::vector<std::string> remarks;  ///< what is in order, and worth a line in the log
    };

    /// Reads the journal that belongs to `config`, and folds it. Blocks; before the reactors run. A
    /// folder that cannot be written is no error: then durable() says why changes cannot be kept.
    /// Errors: io_error when the journal is damaged; conflict when another process has it.
    static result<opened> open(options opts, const loaded_config& config);

    ~journal() override;
    journal(const journal&) = delete;
    journal& operator=(const journal&) = delete;

    /// From here on changes are written.  Called on: control reactor (or before it runs).
    void run_on(engine::reactor& control, engine::file_io& io);

    /// Nothing can be written here, for the reason given: durable() says so from now on.
    /// Called on: control reactor (or before it runs).
    void run_without_files(engine::reactor& control, error why);

    // change_log.  Called on: control reactor.
    void append(const core::change& what, std::uint64_t revision, waiter* w) noexcept override;
    [[nodiscard]] bool knows(const core::change& removal) const noexcept override;

    /// Whether a change can be made durable now; the error says why not, and what to do.
    /// Called on: any thread.
    [[nodiscard]] result<void> durable() const;

    /// What is configured and cannot be served as it is; a reload that was applied mends it all.
    /// Called on: any thread.
    [[nodiscard]] std::vector<broken_object> broken() const;

    /// The digest of the config file that the journal builds upon.  Called on: any thread.
    [[nodiscard]] std::string base_digest() const;

    /// What is configured: the file at start and every change since. More than what runs: what
    /// could not be opened at start stays part of it.  Called on: any thread.
    [[nodiscard]] core::target_spec configured() const;

    /// Asks the rules whether `what` may be added to everything that is configured (also what does
    /// not run), before the core acts; chooses NSIDs that it leaves open. What it names is kept
    /// from other changes until release(), which every change that is held needs once it has an
    /// answer. Errors: already_exists, conflict, limit_reached, invalid_argument.  Called on: any
    /// thread.
    result<void> hold(core::change& what);
    void release(const core::change& what);

    /// What is remembered of the config file: what a reload compares it with.
    /// Called on: any thread.
    [[nodiscard]] config_history history() const;
    /// Keeps that beside the journal; blocks. What cannot be kept is made anew at the next start,
    /// to the safe side.  Called on: any thread but the control reactor's.
    void save_history() const;
    /// Where a reload keeps what it overrules.  Called on: any thread.
    [[nodiscard]] std::string superseded_path() const;

    /// The config file in `to` counts from now on, and what is configured with it (a reload has
    /// applied that). `done` runs on the control reactor.  Called on: any thread.
    void rebase(std::unique_ptr<journal_base> to, std::function<void(result<void>)> done);

    /// Writes what is pending, folds, and calls `done`: within `limit`, whatever the disk does.
    /// Called on: control reactor.
    void stop(duration limit, std::function<void()> done);

    /// Called on: any thread.
    [[nodiscard]] journal_counters counters() const;

  private:
    class impl;
    explicit journal(std::unique_ptr<impl> parts);
    std::unique_ptr<impl> impl_;
};

}  // namespace fulmar::admin
