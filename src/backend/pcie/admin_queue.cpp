#include "admin_queue.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/nvme/features.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace fulmar::backend::pcie {

namespace {

// What clears an event that means nothing to us: a small piece of its page.
constexpr std::uint64_t other_log_bytes = 512;
// So many answers at one look: a drive that never ends would keep the control reactor.
constexpr std::uint32_t answers_per_look = controller::admin_entries;

std::uint32_t wanted_notices(const drive_description& about) noexcept {
    namespace bit = nvme::async_event_config;
    std::uint32_t notices = bit::smart_spare | bit::smart_temperature | bit::smart_reliability |
                            bit::smart_read_only | bit::smart_volatile_backup;
    if ((about.oaes & nvme::oaes::namespace_attribute) != 0) notices |= bit::namespace_attribute;
    return notices;
}

}  // namespace

admin_queue::admin_queue(engine::reactor& control, admin_listener& listener) noexcept
    : control_(control), listener_(listener) {}

void admin_queue::on_interrupt() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(interrupt_fd_, &count, sizeof count);
    reap();
}

void admin_queue::open(queue_pair& queue, int interrupt_fd,
                       const drive_description& about) noexcept {
    queue_ = &queue;
    interrupt_fd_ = interrupt_fd;
    asked_ = {};
    events_asked_ = 0;
    wishes_.reset();
    logs_.reset();
    namespaces_ = {};
    command_sets_ = about.command_sets;
    wanted_events_ = std::min(about.event_limit, most_events);
    abort_room_ = about.abort_limit;
    if (interrupt_fd_ >= 0)
        if (auto watched = control_.watch(interrupt_, interrupt_fd_, EPOLLIN); !watched)
            log::warn("a drive's admin queue is polled: {}", watched.error().text());
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::set_features);
    nvme::encode_set_features(
        command, {.fid = static_cast<std::uint8_t>(nvme::fid::async_event_configuration),
                  .cdw11 = wanted_notices(about)});
    static_cast<void>(ask(question::configuration, command));
    ask_for_events();
}

void admin_queue::close() noexcept {
    if (queue_ == nullptr) return;
    control_.unwatch(interrupt_);
    queue_->mute();
    queue_ = nullptr;
}

void admin_queue::tick() noexcept {
    if (queue_ == nullptr) return;
    reap();
    if (queue_ == nullptr) return;
    serve_wishes();
    ask_for_events();
}

bool admin_queue::overdue() const noexcept {
    if (queue_ == nullptr) return false;
    const instant limit = control_.now() - answer_limit;
    return std::any_of(asked_.begin(), asked_.end(), [&](const asked& a) {
        return a.what != question::none && a.what != question::event && a.since < limit;
    });
}

// --- questions -----------------------------------------------------------------------------------

bool admin_queue::ask(question what, nvme::sqe command, std::uint32_t about) noexcept {
    if (queue_ == nullptr) return false;
    const std::uint32_t slot = queue_->take_slot(this);
    if (slot == queue_pair::no_slot) return false;
    asked_[slot] = {.what = what, .since = control_.now(), .about = about};
    // A page that the drive leaves alone says nothing, rather than what was there before.
    std::ranges::fill(queue_->page_of(slot), std::byte{});
    command.set_prps(queue_->list_of(slot).address, 0);
    queue_->submit(command, slot, control_.now());
    queue_->ring();
    return true;
}

bool admin_queue::ask_log(question what, std::uint8_t page, std::uint64_t bytes) noexcept {
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::get_log_page);
    command.nsid = nvme::nsid_broadcast;
    nvme::encode_get_log_page(command, {.lid = page, .length_bytes = bytes});
    return ask(what, command);
}

bool admin_queue::ask_of_namespace(question what, nvme::cns cns, std::uint32_t nsid) noexcept {
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::identify);
    command.nsid = nsid;
    nvme::encode_identify(command, {.cns = static_cast<std::uint8_t>(cns)});
    return ask(what, command, nsid);
}

void admin_queue::identify_namespace(std::uint32_t nsid) noexcept {
    if (std::ranges::find(namespaces_, nsid) == namespaces_.end()) {
        // There are as many places as namespaces that may be asked for.
        const auto room = std::ranges::find(namespaces_, 0u);
        if (room == namespaces_.end()) return;
        *room = nsid;
    }
    serve_wishes();
}

void admin_queue::wish(question what) noexcept {
    wishes_.set(static_cast<std::size_t>(what));
    serve_wishes();
}

// In the end everything is asked: answers make room, and after answers wishes are served. What
// clears an event goes first.
void admin_queue::serve_wishes() noexcept {
    if (queue_ == nullptr) return;
    const auto serve = [this](question what, nvme::lid page, std::uint64_t bytes) {
        const auto bit = static_cast<std::size_t>(what);
        if (wishes_.test(bit) && ask_log(what, static_cast<std::uint8_t>(page), bytes))
            wishes_.reset(bit);
    };
    serve(question::changed_namespaces, nvme::lid::changed_namespaces,
          sizeof(nvme::changed_namespace_log));
    serve(question::smart, nvme::lid::smart, sizeof(nvme::smart_log));
    serve(question::errors, nvme::lid::error_information,
          most_errors * sizeof(nvme::error_log_entry));
    for (std::size_t page = 0; logs_.any() && page < logs_.size(); ++page)
        if (logs_.test(page) &&
            ask_log(question::other_log, static_cast<std::uint8_t>(page), other_log_bytes))
            logs_.reset(page);
    for (std::uint32_t& nsid : namespaces_) {
        if (nsid == 0) continue;
        const bool done =
            command_sets_
                ? ask_of_namespace(question::command_set, nvme::cns::namespace_descriptors, nsid)
                : ask_of_namespace(question::identify, nvme::cns::namespace_data, nsid);
        if (!done) return;
        nsid = 0;
    }
}

bool admin_queue::abort(std::uint16_t qid, std::uint16_t cid) noexcept {
    if (abort_room_ == 0) return false;
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::abort);
    command.cdw10 = std::uint32_t{qid} | std::uint32_t{cid} << 16;
    if (!ask(question::abort, command, command.cdw10.value())) return false;
    --abort_room_;
    ++aborts_;
    return true;
}

void admin_queue::ask_for_events() noexcept {
    nvme::sqe command{};
    command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::async_event_request);
    while (events_asked_ < wanted_events_ && ask(question::event, command)) ++events_asked_;
}

// --- answers -------------------------------------------------------------------------------------

void admin_queue::reap() noexcept {
    // A listener may close this queue.
    for (std::uint32_t i = 0; i < answers_per_look && queue_ != nullptr; ++i) {
        if (!queue_->has_completion()) break;
        const queue_pair::reaped answer = queue_->take_completion();
        queue_->release_entries(true);
        if (answer.owner != nullptr) answered(answer);
    }
    serve_wishes();
}

// The slot is free, and its page as it was until the next question.
void admin_queue::answered(const queue_pair::reaped& answer) noexcept {
    const asked was = std::exchange(asked_[answer.slot], asked{});
    const bool good = nvme::is_success(answer.status);
    const std::span<const std::byte> page = queue_->page_of(answer.slot);
    switch (was.what) {
        case question::none:
        case question::configuration:
        case question::other_log: return;
        case question::event:
            --events_asked_;
            if (good) return happened(nvme::async_event::unpack(answer.dw0));
            wanted_events_ = events_asked_;  // it takes no more
            return;
        case question::smart: {
            if (!good) return;
            nvme::smart_log log;
            std::memcpy(&log, page.data(), sizeof log);
            return listener_.on_smart(log);
        }
        case question::errors: {
            if (!good) return;
            std::array<nvme::error_log_entry, most_errors> entries;
            std::memcpy(entries.data(), page.data(), sizeof entries);
            return listener_.on_errors(entries);
        }
        case question::changed_namespaces: return listener_.on_namespaces_changed();
        case question::command_set:
        case question::identify: return answered_namespace(was, answer.status, page);
        case question::abort:
            ++abort_room_;
            return listener_.on_abort_answered(static_cast<std::uint16_t>(was.about & 0xffffu),
                                               static_cast<std::uint16_t>(was.about >> 16));
    }
}

// With several command sets a namespace is asked which one it speaks, and only then what it is.
void admin_queue::answered_namespace(const asked& was, nvme::status status,
                                     std::span<const std::byte> page) noexcept {
    nvme::identify_namespace told{};
    const bool good = nvme::is_success(status);
    // Anything else says nothing of the namespace.
    if (!good && !status.is(nvme::sc::invalid_namespace_or_format)) return;
    if (!good) return listener_.on_namespace(was.about, told, {});
    if (was.what == question::identify) {
        std::memcpy(&told, page.data(), sizeof told);
        return listener_.on_namespace(was.about, told, {});
    }
    if (auto set = read_command_set(was.about, page); !set)
        return listener_.on_namespace(was.about, told, set);
    // The slot of the answer is free.
    static_cast<void>(ask_of_namespace(question::identify, nvme::cns::namespace_data, was.about));
}

// Reading the page clears the event; the next request for one goes out with the next tick, so that
// a drive with very much to say has ten turns a second.
void admin_queue::happened(nvme::async_event event) noexcept {
    ++events_;
    if (event.type == nvme::async_event_type::smart) {
        read_smart();
    } else if (event.type == nvme::async_event_type::error) {
        read_errors();
    } else if (event == nvme::event::namespace_attribute_changed) {
        wish(question::changed_namespaces);
    } else if (event.log_page != 0) {
        logs_.set(event.log_page);
        serve_wishes();
    }
}

}  // namespace fulmar::backend::pcie
