// The journal's inside, shared by journal.cpp (writing), journal_open.cpp and journal_fold.cpp.
// Called on: control reactor, but for what `lock_` guards.
#pragma once

#include "config_history.hpp"
#include "helper_thread.hpp"
#include "history_file.hpp"
#include "journal_recovery.hpp"
#include "spec_editor.hpp"
#include "start_merge.hpp"

#include <fulmar/admin/journal.hpp>
#include <fulmar/engine/file_io.hpp>
#include <fulmar/engine/inbox.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace fulmar::admin {

class journal::impl {
  public:
    using told = std::function<void(result<void>)>;

    impl(options opts, std::string path);
    ~impl();
    impl(const impl&) = delete;
    impl& operator=(const impl&) = delete;

    result<opened> open(const loaded_config& config);
    void run_on(engine::reactor& control, engine::file_io& io);
    void run_without_files(engine::reactor& control, error why);
    void append(const core::change& what, std::uint64_t revision, waiter* w);
    void rebase(journal_base to, told done);
    void stop(duration limit, std::function<void()> done);
    /// Destroys it, as soon as the kernel has let go of what is being written.
    static void retire(std::unique_ptr<impl> self);

    // Called on: any thread.
    /// Of the control reactor; null before run_on().
    [[nodiscard]] engine::inbox* inbox() const noexcept { return inbox_.get(); }
    [[nodiscard]] std::optional<error> trouble() const;
    [[nodiscard]] std::string base_digest() const;
    [[nodiscard]] journal_counters counters() const;
    [[nodiscard]] core::target_spec configured() const;
    [[nodiscard]] std::vector<broken_object> broken() const;
    [[nodiscard]] bool knows(const core::change& removal) const;
    [[nodiscard]] config_history history() const;
    void save_history(const config_history& what) const { history_file_->save(what); }
    /// `suffix`: ".history", ".superseded".
    [[nodiscard]] std::string beside(std::string_view suffix) const;
    result<void> hold(core::change& what);
    void release(const core::change& what);

  private:
    struct pending_record {
        std::variant<base_record, change_record> what;
        bool through_here = false;  ///< a base record: of everything before it
        core::change_log::waiter* waiter = nullptr;
        told tell;
        void answer(const result<void>& outcome) const;
    };
    struct write_op final : engine::file_op {
        explicit write_op(impl& i) : owner(i) {}
        impl& owner;
        bool busy = false;
        std::string bytes;
        iovec vector{};
        std::vector<pending_record> records;
    };
    /// Says how far the journal has been acknowledged; many writes of it may share one.
    struct ack_op final : engine::file_op {
        explicit ack_op(impl& i) : owner(i) {}
        impl& owner;
        bool busy = false;
        std::string bytes;
        iovec vector{};
        std::vector<pending_record> records;  // that are answered once it is written
    };
    /// What a job's outcome is until it says something else.
    [[nodiscard]] static tl::unexpected<error> given_up() {
        return fail(errc::no_memory, "a job on the disk was given up");
    }
    /// What rotating gave: the new segment's descriptor, and whether the old one has its number.
    struct rotation {
        result<int> fd = given_up();
        int ack_fd = -1;  ///< of the file beside it, when that was not open
        bool renamed = false;
    };
    /// Only draining holds writes back.
    enum class fold_stage : std::uint8_t {
        none,
        looking,
        rotating,
        draining,
        rendering,
        recording,
        replacing
    };

    // journal_history.cpp
    start_state begin_with(const loaded_config& config, const core::target_spec& raw,
                           const journal_scan& scan, std::vector<std::string>& notes);
    result<void> record_merge(const loaded_config& config, const replayed& after);
    result<void> go_on(const journal_scan& scan, const replayed& after);

    /// As it is once the file has been replaced by what a fold has made.
    [[nodiscard]] config_history history_after(const folded& what) const;

    // journal_open.cpp
    result<void> settle(const loaded_config& config, const journal_scan& scan,
                        const start_state& begin, std::vector<std::string>& notes,
                        std::vector<std::string>& remarks);
    result<void> set_aside(const journal_scan& scan, const replayed& after,
                           std::vector<std::string>& notes);
    result<void> fold_at_open(const loaded_config& config, const replayed& after,
                              std::vector<std::string>& notes);
    result<void> start_anew(const journal_scan& scan);
    static result<int> make_ack_file(disk& files, const std::string& path, const journal_ack& ack);
    result<void> open_ack(const journal_scan& scan);
    result<void> write_ack(std::uint64_t sequence);

    // journal.cpp
    void flush() noexcept;
    void fill_batch();
    static void written(engine::file_op& op, std::int64_t outcome) noexcept;
    void on_written(std::int64_t outcome);
    void send_ack() noexcept;
    static void ack_written(engine::file_op& op, std::int64_t outcome) noexcept;
    void on_ack_written(std::int64_t outcome);
    [[nodiscard]] bool writing() const noexcept { return write_.busy || ack_.busy; }
    void cannot_write(std::int64_t outcome);
    void break_down(error why);
    [[nodiscard]] tl::unexpected<error> not_durable() const;
    void count_unfolded();
    void retry() noexcept;
    void write_snapshot();
    void rotate(std::function<void(result<int>)> next);
    void adopt(int fd) noexcept;
    void helper(std::function<void()> job, std::function<void()> next);

    // journal_fold.cpp
    void begin_fold();
    void on_fold_due() noexcept { begin_fold(); }
    void schedule_fold();
    void fold_looked(const result<void>& unedited);
    void fold_failed(const error& why);
    void fold_rotated(const result<int>& fd);
    void fold_drained();
    void fold_rendered(result<folded> outcome);
    void fold_recorded(const result<void>& outcome);
    void fold_replaced(const result<void>& outcome, std::string digest);
    void end_fold();
    void continue_stop();
    void finish_stop();
    /// A stop is over, in time or not: nothing more is given to the disk.
    [[nodiscard]] bool ended() const noexcept { return stopping_ && !stopped_; }
    void on_stop_late() noexcept;

    options options_;
    disk& files_;
    std::string path_;
    std::string folder_;
    engine::reactor* reactor_ = nullptr;
    std::unique_ptr<engine::inbox> inbox_;
    engine::file_io* io_ = nullptr;

    std::shared_ptr<history_file> history_file_;  // never null

    mutable std::mutex lock_;  // of the six below
    config_history history_;
    std::vector<broken_object> broken_objects_;
    spec_editor wanted_{{}};        // what a snapshot holds
    std::optional<error> trouble_;  // why changes are not durable now
    std::string base_digest_;
    journal_counters counters_;

    int fd_ = -1;
    int ack_fd_ = -1;
    std::uint64_t ack_counter_ = 0;
    std::vector<pending_record> unacknowledged_;  // written, and not said to be
    int next_fd_ = -1;  // the segment that a fold has begun, until the write under way has ended
    std::uint64_t offset_ = 0;
    std::uint64_t last_sequence_ = 0;
    std::uint64_t written_sequence_ = 0;  // of the last record that is on stable storage
    std::uint32_t next_number_ = 1;       // for the next closed segment
    bool needs_header_ = true;            // nothing in the journal says which file it builds upon
    std::size_t unfolded_ = 0;            // changes that the config file does not have
    std::vector<pending_record> pending_;
    bool broken_ = false;  // nothing is written until a snapshot of everything has been
    duration retry_delay_;

    fold_stage fold_ = fold_stage::none;
    std::uint64_t fold_at_;                  // bytes
    duration fold_wait_;                     // grows while folds fail
    std::optional<instant> unfolded_since_;  // the oldest change that the file lacks
    std::string told_;                       // why the last fold failed: told once
    folded folding_;
    std::uint64_t folding_through_ = 0;
    std::size_t folding_changes_ = 0;
    std::vector<std::string> folding_segments_;

    bool retired_ = false;
    bool stopping_ = false;
    bool last_fold_tried_ = false;
    std::function<void()> stopped_;

    write_op write_;
    ack_op ack_;
    engine::member_timer<&impl::retry> retry_timer_{*this};
    engine::member_timer<&impl::on_stop_late> stop_timer_{*this};
    engine::member_timer<&impl::on_fold_due> fold_timer_{*this};
    helper_thread helper_;
};

}  // namespace fulmar::admin
