// The admin queue of a drive that serves: events, logs, Identify and Abort. Control reactor. Never
// waits, and never reads a register: whoever owns it calls tick() now and then.
#pragma once

#include "controller.hpp"
#include "queue_pair.hpp"

#include <fulmar/base/clock.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/engine/descriptor_watch.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/logs.hpp>

#include <array>
#include <bitset>
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
    /// An inactive namespace is all zeroes. `set` is why it cannot be used whatever else it says:
    /// it speaks another command set than NVM.
    virtual void on_namespace(std::uint32_t nsid, const nvme::identify_namespace& page,
                              const result<void>& set) noexcept = 0;
    /// The command has ended, or does in its own time: the Abort is at the drive no more.
    virtual void on_abort_answered(std::uint16_t qid, std::uint16_t cid) noexcept = 0;

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

    // Asked as soon as there is room; once, however often it is wished until then.
    void read_smart() noexcept { wish(question::smart); }
    void read_errors() noexcept { wish(question::errors); }
    void identify_namespace(std::uint32_t nsid) noexcept;
    /// Within what the drive takes at once. Its answer says nothing: the command's own does. False
    /// when there is no room now.
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
        command_set,
        identify,
        abort,
    };
    static constexpr std::size_t question_count = static_cast<std::size_t>(question::abort) + 1;
    struct asked {
        question what = question::none;
        instant since{};
        std::uint32_t about = 0;  // a namespace, or what Abort has in its Dword 10
    };
    bool ask(question what, nvme::sqe command, std::uint32_t about = 0) noexcept;
    bool ask_log(question what, std::uint8_t page, std::uint64_t bytes) noexcept;
    bool ask_of_namespace(question what, nvme::cns cns, std::uint32_t nsid) noexcept;
    void wish(question what) noexcept;
    void serve_wishes() noexcept;
    void answered_namespace(const asked& was, nvme::status status,
                            std::span<const std::byte> page) noexcept;
    void on_interrupt() noexcept;
    void reap() noexcept;
    void answered(const queue_pair::reaped& answer) noexcept;
    void happened(nvme::async_event event) noexcept;
    void ask_for_events() noexcept;

    engine::reactor& control_;
    admin_listener& listener_;
    engine::member_watch<&admin_queue::on_interrupt> interrupt_{*this};
    int interrupt_fd_ = -1;
    queue_pair* queue_ = nullptr;  // null: closed
    std::array<asked, controller::admin_entries> asked_{};
    // Wishes for which there was no room: a bit of each kind, and what they are about.
    std::bitset<question_count> wishes_;
    std::bitset<256> logs_;  // that clear events which mean nothing to us
    std::array<std::uint32_t, limits::max_drive_namespaces> namespaces_{};  // 0: none
    bool command_sets_ = false;
    std::uint32_t wanted_events_ = 0;
    std::uint32_t events_asked_ = 0;
    std::uint32_t abort_room_ = 0;
    std::uint64_t events_ = 0;
    std::uint64_t aborts_ = 0;
};

}  // namespace fulmar::backend::pcie
