#include "rdma_queue.hpp"

#include "clock_ns.hpp"

#include <fulmar/nvme/command.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace fulmar::host {

namespace {

constexpr std::uint32_t in_capsule_bytes_max = 16 * 1024;
constexpr std::uint32_t key_bytes_max = (1u << 24) - 1;  // what a keyed descriptor can say
constexpr std::uint32_t turns_per_look_max = 4096;       // between two looks for the end
constexpr std::uint64_t receive_tag = std::uint64_t{1} << 32;

}  // namespace

rdma_queue::rdma_queue(std::unique_ptr<rdma_wire> wire, const rdma_queue_options& options)
    : wire_(std::move(wire)),
      options_(options),
      slots_(options.depth),
      entries_(static_cast<std::uint16_t>(options.depth + 1)),
      sq_head_(entries_, options.flow_control),
      index_mask_(static_cast<std::uint16_t>(std::bit_ceil(options.depth) - 1)) {
    free_.reserve(options.depth);
    for (std::uint32_t i = options.depth; i-- > 0;) {
        free_.push_back(static_cast<std::uint16_t>(i));
        slots_[i].cid = static_cast<std::uint16_t>(i);
    }
}

rdma_queue::~rdma_queue() { close(); }

result<std::unique_ptr<rdma_queue>> rdma_queue::create(const endpoint& to,
                                                       const rdma_queue_options& options,
                                                       const deadline& until) {
    FULMAR_TRY(auto wire,
               rdma_wire::connect(to, {.qid = options.qid, .entries = options.depth + 1}, until));
    std::unique_ptr<rdma_queue> made(new rdma_queue(std::move(wire), options));
    FULMAR_CHECK(made->build());
    return made;
}

result<void> rdma_queue::build() {
    options_.in_capsule_bytes = std::min(options_.in_capsule_bytes, in_capsule_bytes_max);
    capsule_bytes_ = static_cast<std::uint32_t>(sizeof(nvme::sqe)) + options_.in_capsule_bytes;
    FULMAR_TRY(capsules_, registered_memory::create(wire_->domain(),
                                                    std::size_t{options_.depth} * capsule_bytes_));
    FULMAR_TRY(answers_, registered_memory::create(wire_->domain(), entries_ * sizeof(nvme::cqe)));
    for (std::uint32_t i = 0; i < entries_; ++i)
        if (!wire_->post_receive(answers_,
                                 answers_.all().subspan(i * sizeof(nvme::cqe), sizeof(nvme::cqe)),
                                 receive_tag | i))
            return fail(errc::io_error, "the device takes no receive buffers");
    return {};
}

void rdma_queue::set_in_capsule_bytes(std::uint32_t bytes) noexcept {
    options_.in_capsule_bytes = std::min<std::uint32_t>(
        bytes, capsule_bytes_ - static_cast<std::uint32_t>(sizeof(nvme::sqe)));
}

std::uint32_t rdma_queue::room() const noexcept {
    if (wire_ == nullptr) return 0;
    return sq_head_.room(static_cast<std::uint32_t>(free_.size()));
}

submit_result rdma_queue::submit(request& r) noexcept {
    if (wire_ == nullptr) return submit_result::closed;
    if (room() == 0) return submit_result::full;
    const std::size_t index = free_.back();
    slot& s = slots_[index];
    free_.pop_back();
    // The next generation of this index; FFFFh means "no command" in the error log.
    const auto step = static_cast<std::uint16_t>(index_mask_ + 1);
    auto cid = static_cast<std::uint16_t>(s.cid + step);
    if (cid == 0xffff) cid = static_cast<std::uint16_t>(cid + step);
    s.owner = &r;
    s.cid = cid;
    r.command.cid = cid;
    r.answered = false;
    r.data_damaged = false;
    r.transferred = 0;
    r.submitted_ns = clock_ns();
    if (!put_capsule(s, index)) {
        s.owner = nullptr;
        free_.push_back(static_cast<std::uint16_t>(index));
        end({errc::io_error, "the device takes no more work", {}, {}});
        return submit_result::closed;
    }
    ++outstanding_;
    sq_head_.sent();
    checker_.sent();
    return submit_result::queued;
}

bool rdma_queue::put_capsule(slot& s, std::size_t index) noexcept {
    const std::span<std::byte> capsule =
        capsules_.all().subspan(index * capsule_bytes_, capsule_bytes_);
    std::size_t bytes = sizeof(nvme::sqe);
    if (!s.owner->sgl_as_given && !describe_data(s, capsule, bytes)) return false;
    std::memcpy(capsule.data(), &s.owner->command, sizeof(nvme::sqe));
    s.sending = true;
    return wire_->post_send(capsules_, capsule.first(bytes), index);
}

// Small writes go in the capsule, everything else by key. False: no memory to register.
bool rdma_queue::describe_data(slot& s, std::span<std::byte> capsule, std::size_t& bytes) noexcept {
    request& r = *s.owner;
    r.command.flags = nvme::make_flags(r.command.fused(), nvme::psdt::sgl);
    const std::uint32_t length = r.direction == transfer::none ? 0 : r.data_bytes;
    const bool writes = r.direction == transfer::to_controller && length != 0;
    if (length == 0) {
        r.command.sgl1 = nvme::make_keyed_sgl(0, 0, 0);
        return true;
    }
    if (writes && r.data_in_capsule && length <= options_.in_capsule_bytes) {
        r.command.sgl1 = nvme::make_in_capsule_sgl(0, length);
        std::memcpy(capsule.data() + sizeof(nvme::sqe), r.data, length);
        bytes += length;
        r.transferred = length;
        return true;
    }
    if (length > key_bytes_max) return false;
    if (s.data.all().size() < length) {
        auto larger = registered_memory::create(wire_->domain(), std::bit_ceil(length));
        if (!larger) return false;
        s.data = std::move(*larger);
    }
    if (writes) {
        std::memcpy(s.data.all().data(), r.data, length);
        r.transferred = length;
    }
    r.command.sgl1 = nvme::make_keyed_sgl(reinterpret_cast<std::uintptr_t>(s.data.all().data()),
                                          length, s.data.remote_key());
    return true;
}

// --- Turn --------------------------------------------------------------------------------------

bool rdma_queue::poll() noexcept {
    if (wire_ == nullptr) return false;
    std::array<ibv_wc, 32> done;
    const int got = wire_->poll(done);
    if (got == 0) {
        if (++idle_turns_ >= turns_per_look_max) {
            idle_turns_ = 0;
            if (wire_->ended()) end({errc::io_error, "the target closed the connection", {}, {}});
        }
        return false;
    }
    idle_turns_ = 0;
    now_ns_ = clock_ns();
    if (got < 0) {
        end({errc::io_error, "the completion queue is broken", {}, {}});
        return true;
    }
    for (int i = 0; i < got && wire_ != nullptr; ++i) {
        const ibv_wc& wc = done[static_cast<std::size_t>(i)];
        if (wc.status != IBV_WC_SUCCESS) {
            const bool flushed = wc.status == IBV_WC_WR_FLUSH_ERR;
            end({errc::io_error,
                 flushed ? "the target closed the connection" : ::ibv_wc_status_str(wc.status),
                 {},
                 {}});
            return true;
        }
        if ((wc.wr_id & receive_tag) != 0) {
            on_answer(static_cast<std::uint32_t>(wc.wr_id), wc.byte_len);
        } else {
            slot& s = slots_[wc.wr_id];
            s.sending = false;
            free_when_done(s);
        }
    }
    return true;
}

void rdma_queue::wait(const deadline& until) noexcept {
    if (wire_ == nullptr) return;
    wire_->wait(until);
    if (wire_->ended())
        idle_turns_ = turns_per_look_max;  // the next poll() says so, after the answers
}

void rdma_queue::on_answer(std::uint32_t receive, std::uint32_t bytes) noexcept {
    const std::span<std::byte> memory =
        answers_.all().subspan(receive * sizeof(nvme::cqe), sizeof(nvme::cqe));
    const auto with = nvme::read_wire<nvme::cqe>(memory.first(std::min<std::size_t>(bytes, 16)));
    if (!wire_->post_receive(answers_, memory, receive_tag | receive))
        return end({errc::io_error, "the device takes no more receive buffers", {}, {}});
    if (!with) return end({errc::io_error, "the target sent an answer of another size", {}, {}});
    const std::uint16_t cid = with->cid.value();
    const std::size_t index = cid & index_mask_;
    const bool known = index < slots_.size() && slots_[index].cid == cid;
    if (!known || slots_[index].owner == nullptr)
        return checker_.record(known ? violation::answered_twice : violation::unknown_cid, cid,
                               index);
    sq_head_.take(*with, checker_);
    slot& s = slots_[index];
    s.owner->answer = *with;
    s.owner->answered = true;
    s.owner->finished_ns = now_ns_;
    checker_.answered();
    finish(s);
}

void rdma_queue::finish(slot& s) noexcept {
    request& r = *std::exchange(s.owner, nullptr);
    if (r.direction == transfer::from_controller && nvme::is_success(r.status())) {
        r.transferred = r.data_bytes;
        if (r.data != nullptr && !r.sgl_as_given)
            std::memcpy(r.data, s.data.all().data(), r.data_bytes);
    }
    --outstanding_;
    free_when_done(s);
    r.done(r);
}

// An answer may come before the device has said that the capsule left.
void rdma_queue::free_when_done(slot& s) noexcept {
    if (s.owner == nullptr && !s.sending)
        free_.push_back(static_cast<std::uint16_t>(&s - slots_.data()));
}

void rdma_queue::close() noexcept {
    if (wire_ != nullptr) end({errc::bad_state, "closed by the host", {}, {}});
}

void rdma_queue::end(error why) noexcept {
    why_closed_ = std::move(why);
    // The registrations go before the protection domain, which goes with the wire; the queue pair
    // goes before both, so that nothing touches them.
    std::unique_ptr<rdma_wire> gone = std::move(wire_);
    checker_.lost(checker_.outstanding());
    for (slot& s : slots_) {
        if (s.owner == nullptr) continue;
        request& r = *std::exchange(s.owner, nullptr);
        --outstanding_;
        r.done(r);
    }
    gone->stop();
    for (slot& s : slots_) s.data = {};
    capsules_ = {};
    answers_ = {};
}

}  // namespace fulmar::host
