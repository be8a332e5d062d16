#include "support/rdma/fake_fabric.hpp"

#include "support/failing_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fulmar::transport::rdma::test {

// What a device does is no allocation of ours, where it may not throw.
using fulmar::test::unwatched_memory;

// --- parts of a device ---------------------------------------------------------------------------

class fake_region final : public memory_region {
  public:
    fake_region(fake_fabric& f, std::span<std::byte> memory) : fabric_(f), key_(f.next_key_++) {
        fabric_.regions_[key_] = memory;
        ++fabric_.live_.regions;
    }
    ~fake_region() override {
        fabric_.regions_.erase(key_);
        --fabric_.live_.regions;
    }
    [[nodiscard]] std::uint32_t key() const noexcept override { return key_; }

  private:
    fake_fabric& fabric_;
    std::uint32_t key_;
};

class fake_completions final : public completion_queue {
  public:
    fake_completions(fake_fabric& f, std::uint32_t entries, void* of)
        : owner(of), fabric_(f), entries_(entries) {
        ++fabric_.live_.completions;
        fabric_.completion_queues_.push_back(this);
    }
    ~fake_completions() override {
        --fabric_.live_.completions;
        std::erase(fabric_.completion_queues_, this);
        if (users != 0) fabric_.violation("a completion queue went before its queue pairs");
    }
    int poll(std::span<ibv_wc> into) noexcept override {
        if (broken) return -1;
        std::size_t n = 0;
        for (; n < into.size() && !done.empty(); ++n) {
            into[n] = done.front();
            done.pop_front();
        }
        return static_cast<int>(n);
    }
    bool arm() noexcept override { return true; }
    [[nodiscard]] int descriptor() const noexcept override { return -1; }
    void take_events() noexcept override {}
    void add(const ibv_wc& wc) {
        if (dead) return;
        if (done.size() == entries_) fabric_.violation("a completion queue has overflowed");
        done.push_back(wc);
    }
    std::deque<ibv_wc> done;
    int users = 0;
    void* const owner;
    bool broken = false;  // poll() says so
    bool dead = false;    // nothing comes any more, which poll() does not say

  private:
    fake_fabric& fabric_;
    std::uint32_t entries_;
};

struct fake_receive {
    std::uint64_t id = 0;
    ibv_sge piece{};
};

class fake_shared final : public shared_receive_queue {
  public:
    fake_shared(fake_fabric& f, void* of) : owner(of), fabric_(f) {
        ++fabric_.live_.shared;
        fabric_.shared_queues_.push_back(this);
    }
    ~fake_shared() override {
        --fabric_.live_.shared;
        std::erase(fabric_.shared_queues_, this);
    }
    int post(ibv_recv_wr& one) noexcept override {
        const unwatched_memory ours;
        if (broken) return EIO;
        receives.push_back({.id = one.wr_id, .piece = one.sg_list[0]});
        most = std::max(most, receives.size());
        return 0;
    }
    std::deque<fake_receive> receives;
    std::size_t most = 0;  // that it ever had
    void* const owner;
    bool broken = false;

  private:
    fake_fabric& fabric_;
};

class fake_device final : public device {
  public:
    explicit fake_device(fake_fabric& f) : fabric_(f) {
        const fake_manners& m = f.fault_profile_;
        facts_ = {.name = "fake0",
                  .max_completions = 1u << 20,
                  .max_work = 4096,
                  .max_pieces = m.max_pieces,
                  .max_read_pieces = m.max_pieces,
                  .max_shared_receives = m.shared_receives ? 4096u : 0u,
                  .max_message_bytes = m.max_message_bytes,
                  .max_read_depth = m.read_depth,
                  .max_read_served = 16,
                  .sends_with_invalidate = m.invalidates,
                  .reads_by_remote_write = m.iwarp};
    }
    [[nodiscard]] const device_facts& facts() const noexcept override { return facts_; }
    fulmar::result<std::unique_ptr<memory_region>> register_memory(
        std::span<std::byte> memory) override {
        const unwatched_memory ours;
        return std::make_unique<fake_region>(fabric_, memory);
    }
    fulmar::result<std::unique_ptr<completion_queue>> create_completion_queue(
        std::uint32_t entries, void* owner) override {
        const unwatched_memory ours;
        if (fabric_.refuse_queues_) return fail(errc::no_memory, "no completion queue");
        return std::make_unique<fake_completions>(fabric_, entries, owner);
    }
    fulmar::result<std::unique_ptr<shared_receive_queue>> create_shared_receive_queue(
        std::uint32_t, void* owner) override {
        const unwatched_memory ours;
        return std::make_unique<fake_shared>(fabric_, owner);
    }
    [[nodiscard]] int descriptor() const noexcept override { return -1; }
    bool next_event(device_event& into) noexcept override {
        if (events.empty()) return false;
        into = std::move(events.front());
        events.pop_front();
        return true;
    }
    [[nodiscard]] bool present() const noexcept override { return fabric_.present_; }
    std::deque<device_event> events;

  private:
    fake_fabric& fabric_;
    device_facts facts_;
};

// --- a queue pair --------------------------------------------------------------------------------

class fake_queue_pair final : public queue_pair {
  public:
    fake_queue_pair(fake_fabric& f, const queue_pair_needs& needs, std::shared_ptr<fake_host> host)
        : fabric_(f),
          needs_(needs),
          host_(std::move(host)),
          number_(f.next_number_++),
          completions_(static_cast<fake_completions&>(*needs.completions)),
          shared_(static_cast<fake_shared*>(needs.shared_receives)) {
        ++fabric_.live_.queue_pairs;
        ++completions_.users;
        fabric_.queue_pairs_.push_back(this);
        host_->peer_ = this;
    }
    ~fake_queue_pair() override {
        --fabric_.live_.queue_pairs;
        --completions_.users;
        std::erase(fabric_.queue_pairs_, this);
        if (host_->peer_ == this) host_->peer_ = nullptr;
        // What a real device would forget.
        if (fabric_.fault_profile_.drops_completions)
            std::erase_if(completions_.done,
                          [&](const ibv_wc& wc) { return wc.qp_num == number_; });
        std::erase_if(fabric_.device_->events,
                      [&](const device_event& e) { return e.owner == needs_.owner; });
    }
    [[nodiscard]] std::uint32_t number() const noexcept override { return number_; }
    [[nodiscard]] std::uint32_t inline_bytes() const noexcept override {
        return fabric_.fault_profile_.inline_bytes;
    }

    int post_send(ibv_send_wr& first, ibv_send_wr*& bad) noexcept override {
        const unwatched_memory ours;
        for (ibv_send_wr* w = &first; w != nullptr; w = w->next) {
            if (fabric_.refuse_posts_ != 0) {
                bad = w;
                return fabric_.refuse_posts_;
            }
            if (posted_ == needs_.send_work) {
                fabric_.violation("more send work than the queue pair was made for");
                bad = w;
                return ENOMEM;
            }
            work one;
            one.wr = *w;
            one.wr.next = nullptr;
            one.pieces.assign(w->sg_list, w->sg_list + w->num_sge);
            if (one.pieces.size() > needs_.pieces) fabric_.violation("too many pieces");
            if ((w->send_flags & IBV_SEND_INLINE) != 0) {
                if (inline_bytes() == 0) fabric_.violation("inline data, and the device has none");
                for (const ibv_sge& p : one.pieces) {
                    const auto* at = reinterpret_cast<const std::byte*>(p.addr);
                    one.inlined.insert(one.inlined.end(), at, at + p.length);
                }
            }
            queue_.push_back(std::move(one));
            ++posted_;
        }
        std::uint32_t reads = 0;
        for (const work& one : queue_) reads += one.wr.opcode == IBV_WR_RDMA_READ ? 1 : 0;
        fabric_.most_reads_ = std::max(fabric_.most_reads_, reads);
        return 0;
    }
    int post_receive(ibv_recv_wr& one) noexcept override {
        const unwatched_memory ours;
        if (fabric_.refuse_receives_) return ENOMEM;
        if (receives_.size() == needs_.receive_work) {
            fabric_.violation("more receives than the queue pair was made for");
            return ENOMEM;
        }
        receives_.push_back({.id = one.wr_id, .piece = one.sg_list[0]});
        return 0;
    }
    void fail() noexcept override { failed_ = true; }
    void fail_hard() { failed_ = true; }

    bool step() {
        if (failed_) return flush();
        return take_capsule() || (!fabric_.holding_ && work_one());
    }

  private:
    struct work {
        ibv_send_wr wr{};
        std::vector<ibv_sge> pieces;
        std::vector<std::byte> inlined;
    };

    void complete(std::uint64_t id, ibv_wc_status status, std::uint32_t bytes) {
        ibv_wc wc{};
        wc.wr_id = id;
        wc.status = status;
        wc.qp_num = number_;
        wc.byte_len = bytes;
        // Only a success says what it was.
        wc.opcode = status == IBV_WC_SUCCESS ? IBV_WC_SEND : static_cast<ibv_wc_opcode>(0x5a);
        if (status != IBV_WC_SUCCESS) wc.byte_len = 0xdead'beef;
        completions_.add(wc);
    }

    bool flush() {
        bool worked = false;
        if (fabric_.holding_) return false;
        for (; !queue_.empty(); queue_.pop_front()) {
            complete(queue_.front().wr.wr_id, IBV_WC_WR_FLUSH_ERR, 0);
            worked = true;
        }
        for (; !receives_.empty(); receives_.pop_front()) {
            complete(receives_.front().id, IBV_WC_WR_FLUSH_ERR, 0);
            worked = true;
        }
        if (shared_ != nullptr && !last_receive_told_ &&
            fabric_.fault_profile_.tells_last_receive) {
            last_receive_told_ = true;
            device_event e;
            e.what = device_event::kind::last_receive;
            e.owner = needs_.owner;
            fabric_.device_->events.push_back(std::move(e));
            worked = true;
        }
        return worked;
    }

    bool take_capsule() {
        if (host_->capsules.empty()) return false;
        std::deque<fake_receive>& from = shared_ != nullptr ? shared_->receives : receives_;
        if (from.empty()) return false;  // receiver not ready: the host tries again
        const fake_receive slot = from.front();
        from.pop_front();
        const std::vector<std::byte> bytes = std::move(host_->capsules.front());
        host_->capsules.pop_front();
        bool allowed = true;
        const std::span<std::byte> memory = fabric_.local(slot.piece, allowed);
        if (!allowed || bytes.size() > memory.size()) {
            complete(slot.id, IBV_WC_LOC_LEN_ERR, 0);
            failed_ = true;
            return true;
        }
        std::memcpy(memory.data(), bytes.data(), bytes.size());
        complete(slot.id, IBV_WC_SUCCESS, static_cast<std::uint32_t>(bytes.size()));
        return true;
    }

    bool work_one() {
        if (queue_.empty()) return false;
        const work one = std::move(queue_.front());
        queue_.pop_front();
        ibv_wc_status status = run(one);
        if (fabric_.fail_next_) status = *std::exchange(fabric_.fail_next_, std::nullopt);
        if (status != IBV_WC_SUCCESS) failed_ = true;
        const bool told = status != IBV_WC_SUCCESS || (one.wr.send_flags & IBV_SEND_SIGNALED) != 0;
        if (told) complete(one.wr.wr_id, status, 0);
        // Room comes back with a completion that tells of it, or of a later one.
        ++silent_;
        if (told) posted_ -= std::exchange(silent_, 0u);
        return true;
    }

    ibv_wc_status run(const work& one) {
        std::vector<std::byte> bytes = one.inlined;
        std::size_t total = bytes.size();
        if (bytes.empty())
            for (const ibv_sge& p : one.pieces) {
                bool allowed = true;
                const std::span<std::byte> memory = fabric_.local(p, allowed);
                if (!allowed) return IBV_WC_LOC_PROT_ERR;
                bytes.insert(bytes.end(), memory.begin(), memory.end());
                total += memory.size();
            }
        if (total > fabric_.fault_profile_.max_message_bytes)
            fabric_.violation("too long a message");
        if (host_->now != fake_host::state::connected) return IBV_WC_RETRY_EXC_ERR;
        switch (one.wr.opcode) {
            case IBV_WR_RDMA_WRITE:
            case IBV_WR_RDMA_READ: return transfer(one, bytes);
            case IBV_WR_SEND_WITH_INV:
            case IBV_WR_SEND: {
                host_answer a;
                if (bytes.size() != sizeof a.entry) {
                    fabric_.violation("an answer of another size");
                    return IBV_WC_REM_INV_REQ_ERR;
                }
                std::memcpy(&a.entry, bytes.data(), sizeof a.entry);
                if (one.wr.opcode == IBV_WR_SEND_WITH_INV) {
                    a.invalidated = one.wr.invalidate_rkey;
                    if (host_->memory.erase(*a.invalidated) == 0)
                        fabric_.violation("invalidates a key that there is none of");
                }
                host_->answers.push_back(a);
                return IBV_WC_SUCCESS;
            }
            default: fabric_.violation("an opcode that nobody expects"); return IBV_WC_GENERAL_ERR;
        }
    }

    ibv_wc_status transfer(const work& one, std::span<std::byte> bytes) {
        const auto at = host_->memory.find(one.wr.wr.rdma.rkey);
        if (at == host_->memory.end()) return IBV_WC_REM_ACCESS_ERR;
        host_memory& m = at->second;
        const std::uint64_t from = one.wr.wr.rdma.remote_addr - m.address;
        if (from > m.bytes.size() || bytes.size() > m.bytes.size() - from)
            return IBV_WC_REM_ACCESS_ERR;
        if (one.wr.opcode == IBV_WR_RDMA_WRITE) {
            std::memcpy(m.bytes.data() + from, bytes.data(), bytes.size());
            ++m.writes;
            return IBV_WC_SUCCESS;
        }
        ++m.reads;
        std::size_t done = 0;
        for (const ibv_sge& p : one.pieces) {
            bool allowed = true;
            const std::span<std::byte> memory = fabric_.local(p, allowed);
            std::memcpy(memory.data(), m.bytes.data() + from + done, memory.size());
            done += memory.size();
        }
        return IBV_WC_SUCCESS;
    }

    fake_fabric& fabric_;
    queue_pair_needs needs_;
    std::shared_ptr<fake_host> host_;
    std::uint32_t number_;
    fake_completions& completions_;
    fake_shared* shared_;
    std::deque<work> queue_;
    std::uint32_t posted_ = 0;
    std::uint32_t silent_ = 0;
    std::deque<fake_receive> receives_;
    bool failed_ = false;
    bool last_receive_told_ = false;
};

// --- identifiers and their manager ---------------------------------------------------------------

class fake_identifier final : public identifier {
  public:
    fake_identifier(fake_fabric& f, std::shared_ptr<fake_host> host)
        : fabric_(f), host_(std::move(host)) {
        ++fabric_.live_.identifiers;
        if (host_ != nullptr) host_->peer_id_ = this;
    }
    ~fake_identifier() override {
        --fabric_.live_.identifiers;
        if (fabric_.listener_ == this) fabric_.listener_ = nullptr;
        std::erase_if(fabric_.events_, [&](const auto& e) { return e.id == this; });
        if (host_ == nullptr) return;
        host_->peer_id_ = nullptr;
        if (host_->now < fake_host::state::rejected) host_->now = fake_host::state::ended;
        if (host_->peer_ != nullptr) fabric_.violation("an identifier went before its queue pair");
    }
    [[nodiscard]] device* where() const noexcept override {
        const bool everywhere = host_ == nullptr && !fabric_.fault_profile_.bound_to_device;
        return everywhere ? nullptr : fabric_.device_.get();
    }
    fulmar::result<std::unique_ptr<queue_pair>> create_queue_pair(
        const queue_pair_needs& needs) override {
        const unwatched_memory ours;
        if (fabric_.refuse_queue_pairs_) return fail(errc::no_memory, "no queue pair");
        return std::make_unique<fake_queue_pair>(fabric_, needs, host_);
    }
    fulmar::result<void> accept(const queue_shape&,
                                std::span<const std::byte> data) noexcept override {
        const unwatched_memory ours;
        if (host_->now != fake_host::state::connecting)
            return fail(errc::io_error, "the host has gone");
        host_->accepted = nvme::read_wire<nvme::rdma::cm_accept>(data);
        host_->now = fake_host::state::connected;
        fabric_.events_.push_back({.what = manager_event::kind::established, .id = this});
        return {};
    }
    void reject(std::span<const std::byte> data) noexcept override {
        const unwatched_memory ours;
        if (host_->now != fake_host::state::connecting) return;
        host_->rejected = nvme::read_wire<nvme::rdma::cm_reject>(data);
        host_->now = fake_host::state::rejected;
    }
    void disconnect() noexcept override {
        if (host_->now == fake_host::state::connected) host_->now = fake_host::state::ended;
    }
    void confirm() noexcept override {}
    [[nodiscard]] std::string peer() const override { return "10.0.0.2:1000"; }
    [[nodiscard]] std::string local() const override { return "10.0.0.1:4420"; }
    [[nodiscard]] std::uint64_t peer_key() const noexcept override {
        return host_ == nullptr ? 1 : host_->address;
    }

  private:
    fake_fabric& fabric_;
    std::shared_ptr<fake_host> host_;
};

class fake_manager final : public connection_manager {
  public:
    explicit fake_manager(fake_fabric& f) : fabric_(f) {}
    [[nodiscard]] int descriptor() const noexcept override { return -1; }
    bool next(manager_event& into) noexcept override {
        const unwatched_memory ours;
        // Not before its first event has been dealt with.
        if (asked_ && fabric_.meanwhile_) std::exchange(fabric_.meanwhile_, nullptr)();
        asked_ = !fabric_.events_.empty();
        if (fabric_.events_.empty()) return false;
        fake_fabric::pending_event e = std::move(fabric_.events_.front());
        fabric_.events_.pop_front();
        into.what = e.what;
        into.id = e.id;
        if (e.what == manager_event::kind::requested) {
            into.id = fabric_.listener_;
            into.fresh = std::make_unique<fake_identifier>(fabric_, e.host);
            into.resources = {.reads_served = e.reads_served, .reads_wanted = 0};
            into.private_bytes = std::min(e.private_data.size(), into.private_data.size());
            std::memcpy(into.private_data.data(), e.private_data.data(), into.private_bytes);
        }
        return true;
    }
    fulmar::result<std::unique_ptr<identifier>> listen(const std::string&,
                                                       std::uint16_t&) override {
        if (!fabric_.present_) return fail(errc::unavailable, "no RDMA device has the address");
        if (fabric_.device_ == nullptr) fabric_.device_ = std::make_unique<fake_device>(fabric_);
        auto made = std::make_unique<fake_identifier>(fabric_, nullptr);
        fabric_.listener_ = made.get();
        return made;
    }
    void close(device& d) noexcept override {
        if (&d != fabric_.device_.get()) return fabric_.violation("closes what is not open");
        if (fabric_.live_.verbs() != 0)
            fabric_.violation(
                fmt::format("closes a device with {} objects", fabric_.live_.verbs()));
        if (fabric_.live_.identifiers != 0) fabric_.violation("closes a device with identifiers");
        fabric_.device_.reset();
    }

  private:
    fake_fabric& fabric_;
    bool asked_ = false;
};

class fake_source final : public manager_source {
  public:
    explicit fake_source(fake_fabric& f) : fabric_(f) {}
    fulmar::result<std::unique_ptr<connection_manager>> open() override {
        if (!fabric_.present_) return fail(errc::unavailable, "this machine has no RDMA device");
        return std::make_unique<fake_manager>(fabric_);
    }

  private:
    fake_fabric& fabric_;
};

// --- the fabric ----------------------------------------------------------------------------------

host_memory& fake_host::add_memory(std::size_t bytes) {
    const std::uint32_t key = next_key_++;
    host_memory& m = memory[key];
    m.bytes.resize(bytes);
    m.address = std::uint64_t{key} << 32;
    m.key = key;
    return m;
}

void fake_host::send(const nvme::sqe& command, std::span<const std::byte> extra) {
    std::vector<std::byte> capsule(sizeof command + extra.size());
    std::memcpy(capsule.data(), &command, sizeof command);
    if (!extra.empty()) std::memcpy(capsule.data() + sizeof command, extra.data(), extra.size());
    capsules.push_back(std::move(capsule));
}

fake_fabric::fake_fabric(std::uint64_t seed, const fake_manners& fault_profile)
    : random_(seed), fault_profile_(fault_profile) {}
fake_fabric::~fake_fabric() = default;

std::unique_ptr<manager_source> fake_fabric::make_source() {
    return std::make_unique<fake_source>(*this);
}

std::shared_ptr<fake_host> fake_fabric::connect(const nvme::rdma::cm_request& request,
                                                std::uint8_t reads_served) {
    return connect_raw(nvme::wire_bytes(request), reads_served);
}

std::shared_ptr<fake_host> fake_fabric::connect_raw(std::span<const std::byte> private_data,
                                                    std::uint8_t reads_served) {
    auto host = std::make_shared<fake_host>();
    host->address = next_address_;
    if (listener_ == nullptr) {
        host->now = fake_host::state::ended;
        return host;
    }
    events_.push_back({.what = manager_event::kind::requested,
                       .host = host,
                       .private_data = {private_data.begin(), private_data.end()},
                       .reads_served = reads_served});
    return host;
}

void fake_fabric::kill(fake_host& host) {
    host.now = fake_host::state::ended;
    host.capsules.clear();
    host.memory.clear();
    if (host.peer_id_ != nullptr)
        events_.push_back({.what = manager_event::kind::ended, .id = host.peer_id_});
}

std::span<std::byte> fake_fabric::local(const ibv_sge& piece, bool& allowed) {
    const auto at = regions_.find(piece.lkey);
    auto* from = reinterpret_cast<std::byte*>(piece.addr);
    allowed = at != regions_.end() && from >= at->second.data() &&
              from + piece.length <= at->second.data() + at->second.size();
    if (!allowed) violation(fmt::format("uses memory that key {} does not cover", piece.lkey));
    return {from, allowed ? piece.length : 0};
}

bool fake_fabric::step() {
    bool worked = false;
    std::vector<fake_queue_pair*> order = queue_pairs_;
    std::shuffle(order.begin(), order.end(), random_);
    for (fake_queue_pair* q : order)
        for (auto n = random_() % 8; n != 0; --n) worked = q->step() || worked;
    return worked;
}

void fake_fabric::stray_completion(std::uint64_t wr_id, std::uint32_t qp_number) {
    ibv_wc wc{};
    wc.wr_id = wr_id;
    wc.qp_num = qp_number;
    wc.status = IBV_WC_WR_FLUSH_ERR;
    for (fake_completions* q : completion_queues_) q->add(wc);
}

std::size_t fake_fabric::shared_receives() const {
    std::size_t all = 0;
    for (const fake_shared* q : shared_queues_) all += q->receives.size();
    return all;
}

std::size_t fake_fabric::missing_receives() const {
    std::size_t all = 0;
    for (const fake_shared* q : shared_queues_)
        if (!q->broken) all += q->most - q->receives.size();
    return all;
}

void fake_fabric::break_queues(queue_fault how) {
    const auto tell = [&](device_event::kind what, void* owner, const char* text) {
        device_event e;
        e.what = what;
        e.owner = owner;
        e.text = text;
        device_->events.push_back(std::move(e));
    };
    // The first of each: one reactor's.
    if (completion_queues_.empty()) return;
    const bool receives = how == queue_fault::posting_fails || how == queue_fault::receive_event;
    if (receives && shared_queues_.empty()) return;
    fake_completions& completions = *completion_queues_.front();
    switch (how) {
        case queue_fault::polling_fails: completions.broken = true; return;
        case queue_fault::posting_fails: shared_queues_.front()->broken = true; return;
        case queue_fault::completion_event:
            completions.dead = true;
            return tell(device_event::kind::completions_broken, completions.owner, "CQ error");
        case queue_fault::receive_event:
            completions.dead = shared_queues_.front()->broken = true;
            return tell(device_event::kind::receives_broken, shared_queues_.front()->owner,
                        "SRQ error");
    }
}

void fake_fabric::remove_device(bool announced) {
    present_ = false;
    if (announced && listener_ != nullptr)
        events_.push_back({.what = manager_event::kind::device_removed, .id = listener_});
}

void fake_fabric::add_device() { present_ = true; }

void fake_fabric::port_event() {
    device_event e;
    e.what = device_event::kind::port_changed;
    e.text = "port error";
    device_->events.push_back(std::move(e));
}

}  // namespace fulmar::transport::rdma::test
