// The admin queue of a drive that serves: events, logs, Identify and Abort. Control reactor. Never
// waits, and never reads a register: whoever owns it calls tick() now and then.
#pragma once

#include "controller.hpp"
#include "queue_pair.hpp"

#include <fulmar/base/clock.hpp>
#include <fulmar/engine/descriptor_watch.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/logs.hpp>

#include <array>
#include <cstdint>
#include <span>

namespace fulmar::backend::pcie {

/// Who is told what the drive said. Called on: control reactor.
class admin_listener {
  public:
    virtual void on_smart(const nvme::smart_log& page) noexcept = 0;
    /// The newest first; unused entries have the count 0.
    virtual void on_errors(std::span<const nvme::error_log_entry> entries) noexcept = 0;
    /// Namespaces were added, removed, resized or formatted.
    virtual void on_namespaces_changed() noexcept = 0;
    /// An inactive namespace is all zeroes.
    virtual void on_namespace(std::uint32_t nsid,
                              const nvme::identify_namespace& page) noexcept = 0;

  protected:
    ~admin_listener() = default;
};

/// Called on: control reactor, all methods.
class admin_queue {
  public:
    static constexpr std::uint32_t most_events = 4;  ///< event requests at the drive
    static constexpr std::uint32_t most_errors = 8;  ///< entries of the error log that are read
    static constexpr duration answer_limit = std::chrono::seconds(5);

    admin_queue(engine::reactor& control, admin_listener& listener) noexcept;
    ~admin_queue() { close(); }
    admin_queue(const admin_queue&) = delete;
    admin_queue& operator=(const admin_queue&) = delete;

    /// The drive is up. `interrupt_fd` may be -1: then tick() alone looks for answers.
    void open(queue_pair& queue, int interrupt_fd, const drive_description& about) noexcept;
    /// It is lost: nothing is asked, and nothing is heard, any more.
    void close() noexcept;

    /// Takes answers, and asks for events again.
    void tick() noexcept;
    /// A command is unanswered that should not be; event requests may take for ever.
    [[nodiscard]] bool overdue() const noexcept;

    // Each is false when there is no room now.
    bool read_smart() noexcept;
    bool read_errors() noexcept;
    bool identify_namespace(std::uint32_t nsid) noexcept;
    /// Within what the drive takes at once. Its answer is of no use: the command's own comes.
    bool abort(std::uint16_t qid, std::uint16_t cid) noexcept;

    [[nodiscard]] std::uint64_t faults() const noexcept {
        return queue_ != nullptr ? queue_->counters().faults : 0;
    }
    [[nodiscard]] std::uint64_t events() const noexcept { return events_; }
    [[nodiscard]] std::uint64_t aborts() const noexcept { return aborts_; }

  private:
    enum class question : std::uint8_t {
        none,
        event,
        configuration,
        smart,
        errors,
        changed_namespaces,
        other_log,
        identify,
        abort,
    };
    struct asked {
        question what = question::none;
        instant since{};
        std::uint32_t nsid = 0;
    };
    bool ask(question what, nvme::sqe command, std::uint32_t nsid = 0) noexcept;
    bool ask_log(question what, nvme::lid page, std::uint64_t bytes) noexcept;
    void reap() noexcept;
    void answered(const queue_pair::reaped& answer) noexcept;
    void happened(nvme::async_event event) noexcept;
    void ask_for_events() noexcept;

    struct interrupt_watch final : engine::descriptor_watch {
        explicit interrupt_watch(admin_queue& q) noexcept;
        admin_queue* owner;
    };

    engine::reactor& control_;
    admin_listener& listener_;
    interrupt_watch interrupt_;
    int interrupt_fd_ = -1;
    queue_pair* queue_ = nullptr;  // null: closed
    std::array<asked, controller::admin_entries> asked_{};
    std::uint32_t wanted_events_ = 0;
    std::uint32_t events_asked_ = 0;
    std::uint32_t abort_room_ = 0;
    std::uint64_t events_ = 0;
    std::uint64_t aborts_ = 0;
};

}  // namespace fulmar::backend::pcie
