#include "keeper.hpp"

#include "block_size.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/engine/reactor.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace fulmar::backend::rbd {

namespace {

std::string explain_loss(image_loss why, const std::string& place) {
    switch (why) {
        case image_loss::none: break;
        case image_loss::timed_out:
            return fmt::format(
                "{}: the cluster did not answer in time; what it was sent may still be carried "
                "out, and nothing is served before it has been",
                place);
        case image_loss::fenced:
            return fmt::format("{}: somebody else fenced us (this client is on the blocklist)",
                               place);
        case image_loss::lock_lost:
            return fmt::format("{}: the exclusive lock is not ours any more", place);
        case image_loss::gone: return fmt::format("{} is not there any more", place);
        case image_loss::shrank: return fmt::format("{} was made smaller", place);
        case image_loss::asked_for: return "an operator wants the image opened anew";
    }
    return "unknown";
}

}  // namespace

std::string place_of(const rbd_options& options) {
    std::string text = options.pool + "/";
    if (!options.ceph_namespace.empty()) text += options.ceph_namespace + "/";
    text += options.image;
    if (!options.snapshot.empty()) text += "@" + options.snapshot;
    return text;
}

// --- links ---------------------------------------------------------------------------------------

keeper::link::link(keeper& k, engine::reactor& reactor)
    : message(nullptr), owner(&k), lane(reactor, k.view_) {}

void keeper::link::send(bool with_image) noexcept {
    up = with_image;
    away = true;
    set_handler(&there);
    lane.reactor().post(*this);
}

// Down takes as many turns as what has ended needs to arrive.
void keeper::link::there(engine::message& m) noexcept {
    auto& self = static_cast<link&>(m);
    if (self.up)
        self.lane.bring(*self.owner->image_);
    else
        self.lane.take_away();
    if (!self.up && !self.lane.at_rest()) return static_cast<void>(self.lane.reactor().post(m));
    self.set_handler(&home_again);
    self.owner->environment_.control->post(self);
}

void keeper::link::home_again(engine::message& m) noexcept {
    auto& self = static_cast<link&>(m);
    self.away = false;
    if (self.owner->links_home()) self.owner->on_links_home();
}

bool keeper::links_home() const noexcept {
    return std::none_of(links_.begin(), links_.end(), [](const auto& l) { return l->away; });
}

lane* keeper::lane_of(const engine::reactor& r) noexcept {
    for (const auto& l : links_)
        if (&l->lane.reactor() == &r) return &l->lane;
    return nullptr;
}

void keeper::link_all(bool up) noexcept {
    for (const auto& l : links_) l->send(up);
}

// --- its life ------------------------------------------------------------------------------------

keeper::keeper(const rbd_options& options, const rbd_environment& environment,
               keeper_listener& listener)
    : options_(options),
      environment_(environment),
      listener_(&listener),
      place_(place_of(options)) {
    if (environment_.cluster == nullptr) environment_.cluster = &librbd();
    if (environment_.memory != nullptr) known_ = environment_.memory->recall(options_.name, place_);
    view_.command_limit = options_.command_limit;
    view_.read_only = !options_.snapshot.empty();
    view_.reporter = this;
    if (options_.block_bytes != 0) view_.shift = shift_of(options_.block_bytes);
    for (engine::reactor* r : environment_.data)
        links_.push_back(std::make_unique<link>(*this, *r));
    // Hosts are shown a disk of its former size while it is missing.
    view_.block_count.store(usable_blocks(known_ ? known_->size_bytes : 0));
    geometry_ = {.block_bytes = 1u << view_.shift, .read_only = view_.read_only};
}

keeper::~keeper() {
    environment_.control->timers().cancel(retry_);
    environment_.control->timers().cancel(pulse_);
}

void keeper::leave() noexcept {
    leaving_ = true;
    listener_ = nullptr;
    environment_.control->timers().cancel(retry_);
    if (has_edge(image_edges, state_, image_event::lose)) lose();
    check_left();
}

void keeper::check_left() noexcept {
    const bool busy = open_.running() || close_.running() || look_.running() || loss_.queued() ||
                      reopen_.queued() || changed_.queued();
    if (leaving_ && state_ == image_state::away && !busy) delete this;
}

void keeper::advance(image_event on) noexcept {
    const auto next = next_state(image_edges, state_, on);
    FULMAR_ASSERT(next.has_value());
    state_ = *next;
}

// --- it is opened --------------------------------------------------------------------------------

// The helper thread is waited for, never the cluster: past `patience` it goes on alone.
result<void> keeper::open_now(duration patience) {
    try_open();
    const auto end = std::chrono::steady_clock::now() + patience;
    while (state_ == image_state::opening && !open_.done.load(std::memory_order_acquire)) {
        if (std::chrono::steady_clock::now() > end)
            return fail(errc::timed_out, fmt::format("{}: the cluster does not answer", place_));
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (state_ != image_state::opening) return fail(errc::unavailable, trouble());
    return take();
}

void keeper::open_soon() noexcept { try_open(); }

void keeper::try_open() noexcept {
    environment_.control->timers().cancel(retry_);
    if (state_ != image_state::away || leaving_) return;
    if (open_.running()) return try_later();  // its outcome has been taken, and it comes home yet
    open_.outcome.reset();
    open_.taken = false;
    open_.done.store(false);
    open_.former_lock.clear();
    if (known_)
        if (const auto at = known_->facts.find("lock"); at != known_->facts.end())
            open_.former_lock = at->second;
    if (!open_.start(*environment_.control)) return try_later();  // no thread
    advance(image_event::open);
}

void keeper::open_job::work() noexcept {
    outcome.emplace(owner->environment_.cluster->open(owner->options_, former_lock, *owner));
    done.store(true, std::memory_order_release);
}

void keeper::on_open_home() noexcept {
    if (!open_.taken) static_cast<void>(take());
    check_left();
}

result<void> keeper::take() {
    open_.taken = true;
    result<opened_image> found = std::move(*open_.outcome);
    open_.outcome.reset();
    if (!found) {
        advance(image_event::refuse);
        if (leaving_) return {};
        refuse(found.error(), found.error().code == errc::conflict);
        try_later();
        return tl::unexpected(std::move(found).error());
    }
    image_ = std::move(found->image);
    auto judged = leaving_ ? result<void>{} : judge(found->facts);
    if (leaving_ || !judged) {
        advance(image_event::unwanted);
        if (!judged) refuse(judged.error(), true);
        close();
        return judged;
    }
    adopt(found->facts);
    trouble_.clear();
    cause_.store(image_loss::none);
    advance(image_event::opened);
    link_all(true);
    return {};
}

// --- is it what was there? -----------------------------------------------------------------------

std::uint64_t keeper::usable_blocks(std::uint64_t bytes) const noexcept {
    return (options_.size_bytes != 0 ? options_.size_bytes : bytes) >> view_.shift;
}

result<void> keeper::judge(const image_facts& found) const {
    const std::uint64_t least = std::max<std::uint64_t>(
        options_.size_bytes, options_.block_bytes != 0 ? options_.block_bytes : 512);
    if (found.size_bytes > limits::max_device_bytes)
        return fail(errc::conflict, fmt::format("{} has {} bytes", place_, found.size_bytes));
    if (found.size_bytes < least)
        return fail(
            errc::conflict,
            fmt::format("{} has {} bytes, the device needs {}", place_, found.size_bytes, least),
            "/size");
    return accepts_other_ ? result<void>{} : recognise(found);
}

result<void> keeper::recognise(const image_facts& found) const {
    if (!known_) return {};
    const auto other = [this](const std::string& how) {
        return fail(errc::conflict, fmt::format("{} is not what was there: {}", place_, how), {},
                    "`fulmar device reopen --accept` when that is right");
    };
    const auto differs = [this](const char* fact, const std::string& now) {
        const auto at = known_->facts.find(fact);
        return at != known_->facts.end() && at->second != now;
    };
    if (differs("cluster", found.cluster)) return other("it is in another cluster");
    if (differs("image_id", found.id)) return other("another image has its name now");
    if (found.size_bytes < known_->size_bytes)
        return other(
            fmt::format("it has {} bytes and had {}", found.size_bytes, known_->size_bytes));
    return {};
}

void keeper::adopt(const image_facts& found) {
    accepts_other_ = refused_ = false;
    if (options_.block_bytes == 0) {
        options_.block_bytes = found.size_bytes % 4096 == 0 ? 4096 : 512;
        view_.shift = shift_of(options_.block_bytes);
    }
    const std::uint32_t block = options_.block_bytes;
    const auto object_blocks = static_cast<std::uint32_t>(found.object_bytes / block);
    view_.read_only = found.read_only;
    geometry_ = {.block_bytes = block,
                 .read_only = found.read_only,
                 .deallocate = !found.read_only,
                 .copy = copied_here(block),
                 .deallocate_granularity_blocks = object_blocks};
    const std::uint64_t before = view_.block_count.exchange(usable_blocks(found.size_bytes));
    known_ = storage_record{
        .path = place_,
        .size_bytes = found.size_bytes,
        .facts = {{"cluster", found.cluster}, {"image_id", found.id}, {"lock", found.lock}}};
    if (environment_.memory != nullptr) environment_.memory->remember(options_.name, *known_);
    if (served_ && before != view_.block_count.load() && listener_ != nullptr)
        listener_->on_image_resized();
}

// --- it serves -----------------------------------------------------------------------------------

void keeper::on_links_home() noexcept {
    if (state_ == image_state::unlinking) {
        if (links_.front()->up) return link_all(false);  // it was lost while it was linked
        advance(image_event::unlinked);
        return close();
    }
    advance(image_event::linked);
    if (cause_.load() != image_loss::none || leaving_) return lose();
    pause_ = limits::rbd_first_retry;
    served_ = true;
    view_.lost.store(false, std::memory_order_release);
    // Between the two a reactor may have reported a loss.
    if (cause_.load() != image_loss::none) return view_.lost.store(true);
    log::info("device {}: {} has {} MiB{}", options_.name, place_,
              view_.block_count.load() << view_.shift >> 20,
              view_.read_only ? ", read-only" : ", and its lock is ours");
    environment_.control->timers().arm(pulse_, environment_.control->now() + limits::rbd_look);
    if (listener_ != nullptr) listener_->on_image_ready();
}

void keeper::on_image_changed() noexcept { environment_.control->post(changed_); }

void keeper::on_pulse() noexcept {
    if (state_ == image_state::closing) return close();
    look_soon();
}

void keeper::look_soon() noexcept {
    if (leaving_) return check_left();
    if (state_ != image_state::ready) return;
    environment_.control->timers().cancel(pulse_);
    look_again_ = look_.running();
    if (look_again_) return;
    look_.of = image_.get();
    look_.bytes = 0;
    if (!look_.start(*environment_.control))
        environment_.control->timers().arm(pulse_, environment_.control->now() + limits::rbd_look);
}

void keeper::on_looked() noexcept {
    if (state_ == image_state::closing) return close();  // which waited for it
    if (state_ != image_state::ready) return check_left();
    switch (look_.found) {
        case image_look::lock_lost: report(image_loss::lock_lost); break;
        case image_look::fenced: report(image_loss::fenced); break;
        case image_look::gone: report(image_loss::gone); break;
        case image_look::ours: take_size(look_.bytes); break;
        case image_look::unknown: break;
    }
    if (look_again_) return look_soon();
    environment_.control->timers().arm(pulse_, environment_.control->now() + limits::rbd_look);
}

void keeper::take_size(std::uint64_t bytes) noexcept {
    const std::uint64_t blocks = usable_blocks(bytes);
    if (bytes == 0 || bytes >> view_.shift < blocks || blocks < view_.block_count.load())
        return report(image_loss::shrank);
    if (blocks == view_.block_count.load()) return;
    view_.block_count.store(blocks, std::memory_order_release);
    known_->size_bytes = bytes;
    if (environment_.memory != nullptr) environment_.memory->remember(options_.name, *known_);
    log::info("device {}: {} has {} MiB now", options_.name, place_, bytes >> 20);
    if (listener_ != nullptr) listener_->on_image_resized();
}

// --- it goes -------------------------------------------------------------------------------------

void keeper::report(image_loss why) noexcept {
    image_loss none = image_loss::none;
    if (!cause_.compare_exchange_strong(none, why)) return;
    view_.lost.store(true, std::memory_order_release);
    environment_.control->post(loss_);
}

void keeper::on_loss() noexcept {
    if (leaving_) return check_left();
    if (has_edge(image_edges, state_, image_event::lose)) lose();
}

void keeper::lose() noexcept {
    view_.lost.store(true, std::memory_order_release);
    environment_.control->timers().cancel(pulse_);
    advance(image_event::lose);
    if (!leaving_) trouble_ = explain_loss(cause_.load(), place_);
    if (links_home()) link_all(false);
    if (served_ && listener_ != nullptr) listener_->on_image_lost(trouble_);
}

// A look that hangs uses the image.
void keeper::close() noexcept {
    if (look_.running() || close_.running()) return;
    if (!close_.start(*environment_.control))  // no thread: as on_looked(), a little later
        environment_.control->timers().arm(pulse_, environment_.control->now() + limits::rbd_look);
}

// The orphans first: what they write must not land after what comes next.
void keeper::close_job::work() noexcept {
    const auto orphans = [this] {
        return std::any_of(owner->links_.begin(), owner->links_.end(),
                           [](const auto& l) { return l->lane.orphans() != 0; });
    };
    while (orphans()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    owner->image_.reset();
}

void keeper::on_closed() noexcept {
    advance(image_event::closed);
    if (leaving_) return check_left();
    try_later();
}

// A reactor may have noticed what the control reactor has not heard of yet.
std::string keeper::trouble() const {
    const image_loss why = cause_.load();
    return trouble_.empty() && why != image_loss::none ? explain_loss(why, place_) : trouble_;
}

void keeper::refuse(const error& why, bool other) noexcept {
    accepts_other_ = false;
    const bool news = why.text() != trouble_ || refused_ != other;
    refused_ = other;
    trouble_ = why.text();
    if (news && listener_ != nullptr) listener_->on_image_lost(trouble_);
}

void keeper::try_later() noexcept {
    if (leaving_) return;
    environment_.control->timers().arm(retry_, environment_.control->now() + pause_);
    pause_ = std::min<duration>(2 * pause_, limits::rbd_last_retry);
}

void keeper::retry() noexcept { try_open(); }

// Not inside of what asks for it, which finds the device as it was.
void keeper::reopen(bool other) noexcept {
    accepts_other_ = accepts_other_ || other;
    pause_ = limits::rbd_first_retry;
    if (state_ == image_state::ready) return static_cast<void>(environment_.control->post(reopen_));
    try_open();
}

void keeper::on_reopen() noexcept {
    if (leaving_) return check_left();
    if (state_ == image_state::ready) report(image_loss::asked_for);
}

}  // namespace fulmar::backend::rbd
