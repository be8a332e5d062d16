#include "remote.hpp"

#include "block_size.hpp"
#include "file/bounded_open_file.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/engine/reactor.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fulmar::backend::nbd {

namespace {

std::string explain(remote_loss why, const std::string& uri) {
    switch (why) {
        case remote_loss::none: break;
        case remote_loss::gone: return fmt::format("the connection to {} ended", uri);
        case remote_loss::timed_out:
            return fmt::format(
                "{} did not answer in time; a write that it had received may still land", uri);
        case remote_loss::sync_failed:
            return fmt::format(
                "{} could not make written data durable, and would report the next attempt as a "
                "success: what was written since the last Flush may be lost; `fulmar device "
                "reopen` when its storage is well again",
                uri);
        case remote_loss::no_room:
            return fmt::format(
                "the storage behind {} is full, and had no room for data that was written: what "
                "was written since the last Flush may be lost; make room, then `fulmar device "
                "reopen`",
                uri);
        case remote_loss::asked_for: return "an operator asked for new connections";
    }
    return "unknown";
}

// Which of many devices without multi-connection is served by which reactor.
std::size_t next_home() noexcept {
    static std::size_t next = 0;  // control reactor's
    return next++;
}

}  // namespace

// --- links ---------------------------------------------------------------------------------------

remote::link::link(remote& r, engine::reactor& reactor)
    : message(nullptr), owner(&r), place(reactor, r.view_) {}

void remote::link::send() noexcept {
    away = true;
    set_handler(&there);
    place.reactor().post(*this);
}

void remote::link::there(engine::message& m) noexcept {
    auto& self = static_cast<link&>(m);
    if (self.up)
        self.place.bind(std::move(self.connections), self.home, self.session);
    else
        self.place.unbind();
    // A message of the place that is on its way must not outlive it.
    if (!self.up && !self.place.at_rest()) return static_cast<void>(self.place.reactor().post(m));
    self.set_handler(&home_again);
    self.owner->environment_.control->post(self);
}

void remote::link::home_again(engine::message& m) noexcept {
    auto& self = static_cast<link&>(m);
    self.away = false;
    if (self.owner->links_home()) self.owner->on_links_home();
}

bool remote::links_home() const noexcept {
    return std::none_of(links_.begin(), links_.end(), [](const auto& l) { return l->away; });
}

place* remote::place_of(const engine::reactor& r) noexcept {
    for (const auto& l : links_)
        if (&l->place.reactor() == &r) return &l->place;
    return nullptr;
}

// --- its life ------------------------------------------------------------------------------------

remote::remote(const nbd_options& options, const nbd_environment& environment,
               remote_listener& listener)
    : options_(options), environment_(environment), listener_(&listener) {
    if (environment_.memory != nullptr)
        known_ = environment_.memory->recall(options_.name, options_.uri);
    view_.write_through = options_.write_through;
    view_.command_limit = options_.command_limit;
    view_.reporter = this;
    if (options_.block_bytes != 0) view_.shift = shift_of(options_.block_bytes);
    for (engine::reactor* r : environment_.data)
        links_.push_back(std::make_unique<link>(*this, *r));
    home_ = next_home() % links_.size();
    // Hosts are shown a disk of its former size while it is missing.
    view_.block_count.store(usable_blocks(known_ ? known_->size_bytes : 0));
    geometry_ = {.block_bytes = 1u << view_.shift, .volatile_write_cache = !view_.write_through};
}

remote::~remote() { environment_.control->timers().cancel(retry_); }

void remote::leave() noexcept {
    leaving_ = true;
    listener_ = nullptr;
    environment_.control->timers().cancel(retry_);
    view_.lost.store(true, std::memory_order_release);
    if (has_edge(remote_edges, state_, remote_event::lose)) {
        advance(remote_event::lose);
        if (links_home()) link_down();
    }
    check_left();
}

void remote::check_left() noexcept {
    if (leaving_ && state_ == remote_state::away && !loss_.queued() && !reconnect_.queued())
        delete this;
}

void remote::advance(remote_event on) noexcept {
    const auto next = next_state(remote_edges, state_, on);
    FULMAR_ASSERT(next.has_value());
    state_ = *next;
}

// --- it connects ---------------------------------------------------------------------------------

result<void> remote::connect_now(duration patience) {
    if (state_ != remote_state::away)
        return fail(errc::unavailable, "the server is being asked", {},
                    "try again when it answers");
    const auto found = std::make_shared<std::optional<result<opened_export>>>();
    advance(remote_event::connect);
    const auto ran = bounded_open_file::run(
        [options = options_, wanted = links_.size() * options_.connections,
         found]() -> result<void> {
            found->emplace(connect(options, wanted));
            return {};
        },
        patience);
    return take(ran ? std::move(**found) : tl::unexpected(ran.error()));
}

void remote::connect_soon() noexcept {
    if (state_ == remote_state::away) try_connect();
}

void remote::try_connect() noexcept {
    environment_.control->timers().cancel(retry_);
    connect_.outcome.reset();
    if (!connect_.start(*environment_.control)) return try_later();  // no thread
    advance(remote_event::connect);
}

void remote::connect_job::work() noexcept {
    outcome.emplace(connect(owner->options_, owner->links_.size() * owner->options_.connections));
}

void remote::on_connected() noexcept {
    result<opened_export> found = std::move(*connect_.outcome);
    connect_.outcome.reset();
    if (leaving_) {
        advance(remote_event::refuse);
        return check_left();
    }
    static_cast<void>(take(std::move(found)));
}

result<void> remote::take(result<opened_export> found) {
    if (!found) {
        refuse(found.error(), false);
        return tl::unexpected(std::move(found).error());
    }
    if (auto judged = judge(found->facts); !judged) {
        refuse(judged.error(), true);
        return judged;
    }
    if (!may_serve()) {
        advance(remote_event::refuse);
        return {};
    }
    adopt(found->facts);
    shortage_ = std::move(found->shortage);
    trouble_.clear();
    link_up(std::move(found->handles));
    return {};
}

// --- is it what was there? -----------------------------------------------------------------------

std::uint64_t remote::usable_blocks(std::uint64_t bytes) const noexcept {
    return (options_.size_bytes != 0 ? options_.size_bytes : bytes) >> view_.shift;
}

result<void> remote::judge(const export_facts& found) const {
    const std::uint32_t block = options_.block_bytes != 0 ? options_.block_bytes : 512;
    const std::uint64_t least = std::max<std::uint64_t>(
        options_.block_bytes != 0 ? found.least_block : 1, found.payload_bytes < 4096 ? 8192 : 1);
    if (found.least_block > 4096 || least > block)
        return fail(
            errc::conflict,
            fmt::format("{} wants requests of {} bytes at least", options_.uri, found.least_block),
            "/block_size",
            found.least_block > 4096 ? "put nbdkit-blocksize-filter before it"
                                     : "create the device with a block size of 4096");
    if (found.size_bytes > limits::max_device_bytes)
        return fail(errc::conflict,
                    fmt::format("{} says that it has {} bytes", options_.uri, found.size_bytes));
    const bool lasts = found.can_flush || (options_.write_through && found.can_fua);
    if (!found.read_only && !lasts)
        return fail(errc::conflict,
                    fmt::format("{} promises no flush: nothing that is written could be made "
                                "durable",
                                options_.uri),
                    "/uri", "use another server, or export it read-only");
    if (found.size_bytes < std::max<std::uint64_t>(options_.size_bytes, block))
        return fail(
            errc::conflict,
            fmt::format("{} has {} bytes, the device needs {}", options_.uri, found.size_bytes,
                        std::max<std::uint64_t>(options_.size_bytes, block)),
            "/size");
    return accepts_other_ ? result<void>{} : recognise(found);
}

// An export has no identity but its name; that, what people call it, its size and whether it can be
// written say as much as there is to know.
result<void> remote::recognise(const export_facts& found) const {
    if (!known_) return {};
    const auto other = [this](const std::string& how) {
        return fail(errc::conflict, fmt::format("{} is not what was there: {}", options_.uri, how),
                    {}, "`fulmar device reopen --accept` when that is right");
    };
    const auto was = [this](const char* fact, const std::string& now) -> const std::string* {
        const auto at = known_->facts.find(fact);
        return at == known_->facts.end() || at->second == now ? nullptr : &at->second;
    };
    if (found.size_bytes < known_->size_bytes)
        return other(
            fmt::format("it has {} bytes and had {}", found.size_bytes, known_->size_bytes));
    if (const auto* name = was("export", found.name))
        return other(fmt::format("the export is \"{}\" and was \"{}\"", found.name, *name));
    if (const auto* text = was("description", found.description))
        return other(
            fmt::format("it is described as \"{}\" and was \"{}\"", found.description, *text));
    if (was("read_only", found.read_only ? "yes" : "no") != nullptr)
        return other(found.read_only ? "it cannot be written any more" : "it can be written now");
    return {};
}

// What was flushed is there, what was only acknowledged may not be: a server that was restarted
// does not say so. A Flush from now on would say that this is durable too.
bool remote::may_serve() noexcept {
    const bool owes = view_.ledger.owes();
    if (owes && listener_ != nullptr) {
        const std::string reason =
            "the server was away, and acknowledged writes that no Flush had covered may have gone "
            "with it; reopening the device accepts that";
        if (!listener_->on_remote_back_without_data(reason)) {
            awaits_operator_ = true;
            trouble_ = reason;
            return false;
        }
    }
    if (owes) view_.ledger.settle();
    return true;
}

void remote::adopt(const export_facts& found) {
    accepts_other_ = refused_ = false;
    if (options_.block_bytes == 0) {
        const bool large = found.least_block > 512 || found.preferred_block >= 4096;
        options_.block_bytes = large && found.size_bytes % 4096 == 0 ? 4096 : 512;
        view_.shift = shift_of(options_.block_bytes);
    }
    view_.facts = found;
    const std::uint32_t block = options_.block_bytes;
    view_.facts.payload_bytes -= found.payload_bytes % block;
    const std::uint64_t blocks = usable_blocks(found.size_bytes);
    resized_ = served_ && blocks != view_.block_count.load();
    view_.block_count.store(blocks);
    const auto preferred = std::min<std::uint64_t>(found.preferred_block, 1 << 20);
    geometry_ = {.block_bytes = block,
                 .volatile_write_cache = !view_.write_through && !found.read_only,
                 .read_only = found.read_only,
                 .deallocate = found.can_trim,
                 .copy = copied_here(block),
                 .optimal_io_blocks = static_cast<std::uint32_t>(preferred / block)};
    known_ = storage_record{.path = options_.uri,
                            .size_bytes = found.size_bytes,
                            .facts = {{"export", found.name},
                                      {"description", found.description},
                                      {"read_only", found.read_only ? "yes" : "no"}}};
    if (environment_.memory != nullptr) environment_.memory->remember(options_.name, *known_);
}

// --- it is linked --------------------------------------------------------------------------------

void remote::link_up(std::vector<handle> handles) {
    cause_.store(remote_loss::none);
    ++session_;
    std::vector<connection_list> each(links_.size());
    const bool one = !view_.facts.multi_conn || handles.size() == 1;
    for (std::size_t i = 0; i < handles.size(); ++i)
        each[one ? home_ : i % links_.size()].push_back(
            std::make_unique<connection>(std::move(handles[i])));
    advance(remote_event::up);
    for (std::size_t i = 0; i < links_.size(); ++i) {
        link& l = *links_[i];
        l.connections = std::move(each[i]);
        // Who has none gives its operations to one that has; of a few, each to another one.
        const std::size_t home = one ? home_ : i % std::min(handles.size(), links_.size());
        l.home = &links_[l.connections.empty() ? home : i]->place;
        l.session = session_;
        l.up = true;
        l.send();
    }
}

void remote::link_down() noexcept {
    for (const auto& l : links_) {
        l->up = false;
        l->send();
    }
}

void remote::on_links_home() noexcept {
    if (state_ == remote_state::closing) {
        if (links_.front()->up) return link_down();  // it was lost while it was linked
        advance(remote_event::closed);
        if (leaving_) return check_left();
        if (!awaits_operator_) try_later();
        return;
    }
    advance(remote_event::linked);
    if (cause_.load() != remote_loss::none) return on_loss();
    trouble_.clear();
    pause_ = limits::nbd_first_retry;
    served_ = true;
    view_.lost.store(false, std::memory_order_release);
    // Between the two a reactor may have reported a loss.
    if (cause_.load() != remote_loss::none) return view_.lost.store(true);
    log::info("device {}: {} has {} MiB{}", options_.name, options_.uri,
              view_.block_count.load() << view_.shift >> 20,
              view_.facts.multi_conn ? "" : ", by one connection");
    if (listener_ != nullptr) listener_->on_remote_ready(std::exchange(resized_, false));
}

// --- it goes -------------------------------------------------------------------------------------

void remote::report(remote_loss why) noexcept {
    remote_loss none = remote_loss::none;
    if (!cause_.compare_exchange_strong(none, why)) return;
    view_.lost.store(true, std::memory_order_release);
    environment_.control->post(loss_);
}

void remote::on_loss() noexcept {
    if (leaving_) return check_left();
    if (!has_edge(remote_edges, state_, remote_event::lose)) return;
    view_.lost.store(true, std::memory_order_release);
    advance(remote_event::lose);
    last_loss_ = cause_.load();
    awaits_operator_ = needs_operator(last_loss_);
    trouble_ = explain(last_loss_, options_.uri);
    if (links_home()) link_down();
    if (served_ && listener_ != nullptr) listener_->on_remote_lost(trouble_);
}

bool remote::lost_data() const noexcept {
    if (ready()) return false;
    return needs_operator(last_loss_) || needs_operator(cause_.load()) || view_.ledger.owes();
}

// A reactor may have noticed what the control reactor has not heard of yet.
std::string remote::trouble() const {
    const remote_loss why = cause_.load();
    return trouble_.empty() && why != remote_loss::none ? explain(why, options_.uri) : trouble_;
}

void remote::refuse(const error& why, bool other) noexcept {
    advance(remote_event::refuse);
    accepts_other_ = false;
    const bool news = why.text() != trouble_ || refused_ != other;
    refused_ = other;
    trouble_ = why.text();
    if (news && listener_ != nullptr) listener_->on_remote_lost(trouble_);
    try_later();
}

void remote::try_later() noexcept {
    environment_.control->timers().arm(retry_, environment_.control->now() + pause_);
    pause_ = std::min<duration>(2 * pause_, limits::nbd_last_retry);
}

void remote::retry() noexcept {
    if (state_ == remote_state::away && !leaving_) try_connect();
}

void remote::open() noexcept {
    awaits_operator_ = false;
    last_loss_ = remote_loss::none;
    pause_ = limits::nbd_first_retry;
    if (state_ == remote_state::ready)
        return static_cast<void>(environment_.control->post(reconnect_));
    view_.ledger.settle();  // whoever asks has been told what is gone
    cause_.store(remote_loss::none);
    connect_soon();
}

// Not inside of what asked for it, which finds the device as it was.
void remote::reconnect() noexcept {
    if (leaving_) return check_left();
    if (state_ == remote_state::ready) report(remote_loss::asked_for);
}

void remote::accept() noexcept {
    accepts_other_ = true;
    open();
}

}  // namespace fulmar::backend::nbd
