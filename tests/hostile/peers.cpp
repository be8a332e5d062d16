#include "peers.hpp"

#include "support/http_client.hpp"

#include <fulmar/host/fabrics.hpp>
#include <fulmar/host/raw_session.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/logs.hpp>

#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>

namespace fulmar::hostile {

using host::raw_session;
using std::chrono::milliseconds;

std::string honest_nqn(unsigned number) {
    return fmt::format("nqn.2026-11.io.fulmar:honest-{}", number);
}
std::string peer_nqn(unsigned number) {
    return fmt::format("nqn.2026-11.io.fulmar:peer-{}", number);
}

namespace {

constexpr std::uint32_t large = 1u << 20;
constexpr auto patience = milliseconds(2000);

template <typename T>
T must(result<T> r) {
    if (!r) throw std::runtime_error(r.error().text());
    return std::move(*r);
}
void must(const result<void>& r) {
    if (!r) throw std::runtime_error(r.error().text());
}

nvme::sqe with(nvme::sqe sqe, std::uint16_t cid, std::uint32_t bytes) {
    sqe.cid = cid;
    sqe.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
    sqe.sgl1 = nvme::make_transport_sgl(bytes);
    return sqe;
}

nvme::sqe io(nvme::io_opcode opcode, std::uint32_t blocks) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(opcode);
    sqe.nsid = std::uint32_t{1};
    nvme::encode_block_range(sqe, {.slba = 1u << 16, .blocks = blocks});
    return sqe;
}

nvme::sqe admin(nvme::admin_opcode opcode, std::uint32_t cdw10 = 0) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(opcode);
    sqe.cdw10 = cdw10;
    return sqe;
}

/// What the sorts share: connections that are made anew when the target has ended them.
class connected_peer : public peer {
  public:
    connected_peer(host::endpoint target, std::string nqn, manner how)
        : target_(std::move(target)), nqn_(std::move(nqn)), how_(how) {}

    void step() override {
        try {
            if (sessions_.empty()) begin();
            if (how_ == manner::behave)
                behave();
            else
                misbehave();
        } catch (const std::exception&) {
            sessions_.clear();
        }
    }

  protected:
    virtual void begin() = 0;
    virtual void misbehave() = 0;
    /// Something small, on the first connection.
    virtual void behave() {
        must(
            sessions_.front().run(with(admin(nvme::admin_opcode::keep_alive), 9, 0), {}, patience));
    }

    raw_session& open() {
        return sessions_.emplace_back(must(raw_session::open(target_, {}, patience)));
    }
    std::uint16_t connect(raw_session& s, std::string_view subsystem, std::uint16_t qid,
                          std::uint16_t cntlid) {
        const auto answer = must(s.connect_queue({.subnqn = std::string(subsystem),
                                                  .hostnqn = nqn_,
                                                  .hostid = nvme::derive_uuid(nqn_, 0),
                                                  .cntlid = cntlid,
                                                  .qid = qid,
                                                  .entries = 32}));
        if (!nvme::is_success(answer.status())) throw std::runtime_error("refused");
        return static_cast<std::uint16_t>(answer.answer.dw0.value());
    }
    std::uint16_t open_admin(std::string_view subsystem) {
        raw_session& s = open();
        const std::uint16_t cntlid = connect(s, subsystem, 0, nvme::cntlid_dynamic);
        nvme::sqe enable = host::make_property_set(
            nvme::register_offset::cc, nvme::property_size::bytes_4,
            nvme::controller_configuration{.en = true, .iosqes = 6, .iocqes = 4}.pack());
        enable.cid = std::uint16_t{1};
        must(s.run(enable, {}, patience));
        return cntlid;
    }
    void send(raw_session& s, const nvme::sqe& sqe) { must(s.send(host::make_capsule(sqe))); }

    host::endpoint target_;
    std::string nqn_;
    manner how_;
    std::vector<raw_session> sessions_;
    std::uint16_t cid_ = 0;
};

/// Says nothing at all.
struct silent final : connected_peer {
    using connected_peer::connected_peer;
    std::string_view sort() const override { return "silent"; }
    void begin() override { sessions_.push_back(must(raw_session::connect(target_, patience))); }
    void misbehave() override {
        if (sessions_.front().await(milliseconds(0)).kind != host::received_kind::timed_out)
            sessions_.clear();
    }
    void behave() override { sessions_.clear(); }
};

/// A byte of its handshake now and then.
struct trickling final : connected_peer {
    using connected_peer::connected_peer;
    std::string_view sort() const override { return "trickling"; }
    void begin() override {
        sessions_.push_back(must(raw_session::connect(target_, patience)));
        at_ = 0;
    }
    void misbehave() override {
        const host::raw_bytes hello = host::make_ic_req();
        if (at_ == hello.size()) return sessions_.clear();
        must(sessions_.front().send(std::span(hello).subspan(at_++, 1), patience));
    }
    void behave() override { sessions_.clear(); }
    std::size_t at_ = 0;
};

/// Discovery controllers that announce data and send Keep Alives.
struct promising final : connected_peer {
    using connected_peer::connected_peer;
    std::string_view sort() const override { return "promising"; }
    void begin() override {
        for (int i = 0; i < 4; ++i) open_admin(nvme::discovery_nqn);
        if (how_ == manner::behave) return;
        for (raw_session& s : sessions_)
            for (cid_ = 2; cid_ < 26; ++cid_)
                send(s, with(admin(nvme::admin_opcode::set_features, 0x0b), cid_, large));
    }
    void misbehave() override {
        for (raw_session& s : sessions_)
            send(s, with(admin(nvme::admin_opcode::keep_alive), 30, 0));
        for (raw_session& s : sessions_)
            if (s.await(milliseconds(0)).kind == host::received_kind::closed)
                return sessions_.clear();
    }
};

/// Asks for the discovery log and does not read it.
struct deaf_stranger final : connected_peer {
    using connected_peer::connected_peer;
    std::string_view sort() const override { return "never reads the discovery log"; }
    void begin() override {
        for (int i = 0; i < 4; ++i) open_admin(nvme::discovery_nqn);
        if (how_ == manner::behave) return;
        const std::uint32_t bytes = 64 * 1024;
        for (raw_session& s : sessions_)
            for (cid_ = 2; cid_ < 30; ++cid_)
                send(s, with(admin(nvme::admin_opcode::get_log_page, 0x70 | (bytes / 4 - 1) << 16),
                             cid_, bytes));
    }
    void misbehave() override {
        for (raw_session& s : sessions_)
            send(s, with(admin(nvme::admin_opcode::keep_alive), 30, 0));
    }
};

/// Queues of an allowed host: eight of them, full of commands that it never settles.
struct with_queues : connected_peer {
    using connected_peer::connected_peer;
    void begin() override {
        const std::uint16_t cntlid = open_admin(subsystem_nqn);
        for (std::uint16_t qid = 1; qid <= 8; ++qid) connect(open(), subsystem_nqn, qid, cntlid);
        if (how_ == manner::behave) return;
        for (std::size_t i = 1; i < sessions_.size(); ++i)
            for (cid_ = 1; cid_ < 24; ++cid_)
                send(sessions_[i], with(io(opcode(), large / 512), cid_, large));
    }
    void behave() override {
        must(sessions_.back().run(with(io(nvme::io_opcode::read, 8), 3, 4096), {}, patience));
    }
    void misbehave() override {
        send(sessions_.front(), with(admin(nvme::admin_opcode::keep_alive), 30, 0));
        if (sessions_.front().await(milliseconds(0)).kind == host::received_kind::closed)
            sessions_.clear();
    }
    [[nodiscard]] virtual nvme::io_opcode opcode() const = 0;
};
struct owing final : with_queues {
    using with_queues::with_queues;
    std::string_view sort() const override { return "owes data"; }
    nvme::io_opcode opcode() const override { return nvme::io_opcode::write; }
};
struct deaf final : with_queues {
    using with_queues::with_queues;
    std::string_view sort() const override { return "never reads"; }
    nvme::io_opcode opcode() const override { return nvme::io_opcode::read; }
};

/// Comes and goes.
struct churning final : connected_peer {
    using connected_peer::connected_peer;
    std::string_view sort() const override { return "churning"; }
    void begin() override {
        const std::uint16_t cntlid = open_admin(subsystem_nqn);
        connect(open(), subsystem_nqn, 1, cntlid);
        send(sessions_.back(), with(io(nvme::io_opcode::write, 2048), 4, large));
    }
    void misbehave() override {
        for (raw_session& s : sessions_) s.reset();
        sessions_.clear();
    }
    void behave() override { sessions_.clear(); }
};

/// Connects with names that nobody has; and then sends bytes that are no PDUs.
struct misnamed final : connected_peer {
    using connected_peer::connected_peer;
    std::string_view sort() const override { return "wrong names, and noise"; }
    void begin() override { open(); }
    void misbehave() override {
        if (++cid_ % 8 == 0) {
            const std::vector<std::byte> noise(512, static_cast<std::byte>(cid_));
            must(sessions_.front().send(noise, patience));
            return sessions_.clear();
        }
        const bool host = (cid_ & 1) != 0;
        must(sessions_.front().connect_queue(
            {.subnqn = host ? std::string(subsystem_nqn) : std::string("nqn.2026-11.io:none"),
             .hostnqn = nqn_,
             .hostid = nvme::derive_uuid(nqn_, 0)}));
    }
    void behave() override { sessions_.clear(); }
};

/// Digests that are wrong: of its data, and then of its headers.
struct undigested final : connected_peer {
    using connected_peer::connected_peer;
    std::string_view sort() const override { return "wrong digests"; }
    void begin() override {
        const std::uint16_t cntlid = open_admin(subsystem_nqn);
        const auto both = static_cast<std::uint8_t>(nvme::tcp::digest_flags::header |
                                                    nvme::tcp::digest_flags::data);
        raw_session& s =
            sessions_.emplace_back(must(raw_session::open(target_, {.digests = both}, patience)));
        connect(s, subsystem_nqn, 1, cntlid);
    }
    void misbehave() override {
        raw_session& s = sessions_.back();
        nvme::sqe write = with(io(nvme::io_opcode::write, 8), 5, 0);
        write.sgl1 = nvme::make_in_capsule_sgl(0, 4096);
        const std::vector<std::byte> data(4096, std::byte{1});
        host::raw_bytes capsule = host::make_capsule(write, data, s.wire());
        capsule.back() ^= std::byte{0xff};
        must(s.send(capsule, patience));
        if (++cid_ % 8 != 0) {
            must(s.collect(5, {}, patience));
            return;
        }
        capsule[sizeof(nvme::tcp::common_header)] ^= std::byte{0xff};
        must(s.send(capsule, patience));
        sessions_.clear();
    }
    void behave() override {
        must(sessions_.back().run(with(io(nvme::io_opcode::read, 8), 3, 4096), {}, patience));
    }
};

/// Has connections to the administration and asks for nothing there; some begin a request.
class rest_idler final : public peer {
  public:
    rest_idler(std::uint16_t port, manner how) : port_(port), how_(how) {}
    std::string_view sort() const override { return "idles at the administration"; }
    void step() override {
        if (how_ == manner::behave) {
            test::http_client client = test::http_client::tcp("127.0.0.1", port_);
            (void)client.send("GET", "/v1/health");
            return;
        }
        if (idle_.size() >= most) idle_.erase(idle_.begin());  // it may have ended long ago
        idle_.push_back(test::http_client::tcp("127.0.0.1", port_));
        if (idle_.size() % 2 == 0) idle_.back().write("GET /v1/devices HTTP/1.1\r\nHost: ");
    }

  private:
    static constexpr std::size_t most = 100;  // of each such peer: 300 together
    std::uint16_t port_;
    manner how_;
    std::deque<test::http_client> idle_;
};

template <typename Sort>
void add(std::vector<std::unique_ptr<peer>>& all, const host::endpoint& target, manner how,
         const std::function<std::string()>& name) {
    for (unsigned i = 0; i < of_each_sort; ++i)
        all.push_back(std::make_unique<Sort>(target, name(), how));
}

}  // namespace

std::vector<std::unique_ptr<peer>> make_peers(const places& where, manner how) {
    const host::endpoint& target = where.target;
    std::vector<std::unique_ptr<peer>> all;
    unsigned number = 0;
    const auto stranger = [] { return std::string("nqn.2026-11.io.fulmar:stranger"); };
    const auto allowed = [&] { return peer_nqn(number++); };
    add<silent>(all, target, how, stranger);
    add<trickling>(all, target, how, stranger);
    add<promising>(all, target, how, stranger);
    add<deaf_stranger>(all, target, how, stranger);
    add<misnamed>(all, target, how, stranger);
    add<owing>(all, target, how, allowed);
    add<deaf>(all, target, how, allowed);
    add<churning>(all, target, how, allowed);
    add<undigested>(all, target, how, allowed);
    for (unsigned i = 0; i < of_each_sort; ++i)
        all.push_back(std::make_unique<rest_idler>(where.administration, how));
    return all;
}

crowd::crowd(const places& where, manner how) : peers_(make_peers(where, how)) {
    thread_ = std::thread([this] {
        while (!ends_.load(std::memory_order_relaxed)) {
            for (const auto& p : peers_) {
                if (ends_.load(std::memory_order_relaxed)) return;
                p->step();
            }
            rounds_.fetch_add(1, std::memory_order_relaxed);
            std::this_thread::sleep_for(milliseconds(5));
        }
    });
}

crowd::~crowd() {
    ends_.store(true, std::memory_order_relaxed);
    thread_.join();
}

}  // namespace fulmar::hostile
