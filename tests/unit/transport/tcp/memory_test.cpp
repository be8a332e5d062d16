// A host connects, writes and reads through a real connection, and each allocation on the target's
// way fails once: the connection ends, or the host is told; nothing is left, and the next try
// works.
#include "support/failing_memory.hpp"
#include "transport/common/listener_counters.hpp"
#include "transport/tcp/socket_stream.hpp"
#include "transport/tcp/tcp_group.hpp"

#include <fulmar/backend/ram_device.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/mem/memory_source.hpp>
#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/tcp_pdu.hpp>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <vector>

namespace fulmar::transport::tcp {
namespace {

namespace pdu = nvme::tcp;

constexpr std::string_view subsystem_nqn = "nqn.2026-01.io.fulmar:memory";

/// A target on this thread, its reactors turned by hand; allocations count while they turn.
class world {
  public:
    world() {
        core::target_spec spec;
        core::subsystem_spec& offered = spec.subsystems.emplace_back();
        offered.nqn = subsystem_nqn;
        offered.allow_any_host = true;
        core::device_spec& device = spec.devices.emplace_back();
        device.name = "ram";
        device.type = "ram";
        device.size_bytes = 1u << 20;
        core::namespace_spec& made = offered.namespaces.emplace_back();
        made.nsid = 1;
        made.device = device.name;
        bool started = false;
        target_.start(
            spec, [](const error& e) { ADD_FAILURE() << e.text(); }, [&] { started = true; });
        EXPECT_TRUE(turn_until([&] { return started; }));
    }
    ~world() {
        bool done = false;
        target_.shut_down([&] { done = true; });
        EXPECT_TRUE(turn_until([&] { return done; }));
    }

    void turn() {
        const fulmar::test::watched_memory counts;
        control_->run_once();
        data_->run_once();
    }

    /// In time that passes: an idle connection is looked at again only after a while.
    template <typename Condition>
    bool turn_until(Condition&& condition) {
        const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!condition()) {
            if (std::chrono::steady_clock::now() > late) return false;
            turn();
        }
        return true;
    }

    unique_fd connect() {
        int pair[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        counters_->count_in();
        group_.load.fetch_add(1);
        connection_origin from{.stream = std::make_unique<socket_stream>(unique_fd(pair[0])),
                               .peer = "test",
                               .local = "test",
                               .counters = counters_,
                               .ticket = nullptr};
        const fulmar::test::watched_memory counts;
        tcp_.adopt(std::move(from));
        return unique_fd(pair[1]);
    }

    void expect_empty() {
        const auto is_empty = [&] {
            return group_.empty() && counters_->connections == 0 && counters_->handshakes == 0;
        };
        EXPECT_TRUE(turn_until(is_empty));
        EXPECT_EQ(group_.load, 0u);
        EXPECT_EQ(group_.hosts().size(), 0u);
        for (mem::buffer_pool* p :
             {&group_.pool(), &group_.admin_pool(), &group_.newcomer_pool()}) {
            EXPECT_EQ(p->free_chunks(), p->total_chunks());
            EXPECT_EQ(p->waiters(), 0u);
        }
    }

  private:
    static std::unique_ptr<engine::reactor> make_reactor(std::uint16_t number) {
        static monotonic_clock clock;
        return engine::reactor::create(
                   {.id = reactor_id(number), .busy_window = {}, .clock = &clock})
            .value();
    }
    static result<std::unique_ptr<backend::device>> make_ram(const core::device_spec& spec) {
        return backend::make_ram_device(
            {.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
    }

    mem::heap_memory memory_;
    std::unique_ptr<engine::reactor> control_ = make_reactor(0);
    std::unique_ptr<engine::reactor> data_ = make_reactor(1);
    core::target target_{*control_, {.limits = {}, .make_device = &make_ram}};
    core::poll_group& group_ = target_.add_poll_group(
        *data_, mem::buffer_pool::create(memory_, {.bytes = 8u << 20}).value());
    tcp_group tcp_{group_};
    std::shared_ptr<common::listener_counters> counters_ =
        std::make_shared<common::listener_counters>();
};

/// A host's end.
class peer {
  public:
    explicit peer(world& w) : world_(w), fd_(w.connect()) {
        pdu::ic_req hello{};
        hello.ch = pdu::make_header(pdu::pdu_type::ic_req, 0, false, false, 0);
        send(nvme::wire_bytes(hello));
        EXPECT_TRUE(turn_until([&] { return held_.size() >= sizeof(pdu::ic_resp) || ended_; }));
        held_.clear();
    }

    /// The answer; nothing when the target has ended the connection.
    std::optional<nvme::cqe> run(nvme::sqe sqe, std::span<const std::byte> in_capsule = {}) {
        pdu::capsule_cmd header{};
        const auto bytes = static_cast<std::uint32_t>(in_capsule.size());
        header.ch = pdu::make_header(pdu::pdu_type::capsule_cmd, bytes, false, false, 0);
        sqe.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
        header.ccsqe = sqe;
        std::vector<std::byte> all(header.ch.plen.value());
        std::memcpy(all.data(), &header, sizeof header);
        std::copy(in_capsule.begin(), in_capsule.end(),
                  all.end() - static_cast<std::ptrdiff_t>(bytes));
        send(all);
        std::optional<nvme::cqe> answer;
        EXPECT_TRUE(turn_until([&] {
            if (!answer) answer = take_answer();
            return answer || ended_;
        })) << "neither an answer nor an end";
        return answer;
    }

    std::optional<nvme::cqe> connect(std::uint16_t qid, std::uint16_t cntlid,
                                     std::uint16_t entries = 16) {
        auto command = nvme::make_fabrics_command<nvme::connect_command>(nvme::fctype::connect, 0);
        command.qid = qid;
        command.sqsize = static_cast<std::uint16_t>(entries - 1);
        command.sgl1 = nvme::make_in_capsule_sgl(0, sizeof(nvme::connect_data));
        nvme::connect_data data{};
        data.hostid.fill(1);
        data.cntlid = cntlid;
        nvme::copy_nul_padded(data.subnqn, subsystem_nqn);
        nvme::copy_nul_padded(data.hostnqn, "nqn.2026-01.io.fulmar:host");
        return run(nvme::to_sqe(command), nvme::wire_bytes(data));
    }

    std::optional<nvme::cqe> enable() {
        auto set =
            nvme::make_fabrics_command<nvme::property_set_command>(nvme::fctype::property_set, 1);
        set.ofst = nvme::register_offset::cc;
        set.value = nvme::controller_configuration{.en = true, .iosqes = 6, .iocqes = 4}.pack();
        return run(nvme::to_sqe(set));
    }

    std::optional<nvme::cqe> write() {
        nvme::sqe command{};
        command.opcode = static_cast<std::uint8_t>(nvme::io_opcode::write);
        command.nsid = std::uint32_t{1};
        nvme::encode_block_range(command, {.blocks = 1});
        const std::vector<std::byte> data(512, std::byte{7});
        command.sgl1 = nvme::make_in_capsule_sgl(0, 512);
        return run(command, data);
    }

  private:
    void send(std::span<const std::byte> bytes) {
        (void)::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    template <typename Condition>
    bool turn_until(Condition&& condition) {
        return world_.turn_until([&] {
            std::array<std::byte, 8192> buffer;
            const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (got > 0) held_.insert(held_.end(), buffer.begin(), buffer.begin() + got);
            if (got == 0) ended_ = true;
            return condition();
        });
    }
    std::optional<nvme::cqe> take_answer() {
        while (const auto ch = nvme::read_wire<pdu::common_header>(held_)) {
            const std::size_t plen = ch->plen.value();
            if (held_.size() < plen) return std::nullopt;
            std::optional<nvme::cqe> answer;
            if (ch->type == static_cast<std::uint8_t>(pdu::pdu_type::capsule_resp))
                answer = nvme::read_wire<pdu::capsule_resp>(held_)->rccqe;
            held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(plen));
            if (answer) return answer;
        }
        return std::nullopt;
    }

    world& world_;
    unique_fd fd_;
    std::vector<std::byte> held_;
    bool ended_ = false;
};

/// True when everything worked; stops at the first thing that did not.
bool one_host(world& w) {
    const auto ok = [](const std::optional<nvme::cqe>& answer) {
        return answer && nvme::is_success(answer->get_status());
    };
    peer admin(w);
    const auto granted = admin.connect(0, nvme::cntlid_dynamic);
    if (!ok(granted) || !ok(admin.enable())) return false;
    peer io(w);
    return ok(io.connect(1, static_cast<std::uint16_t>(granted->dw0.value()))) && ok(io.write());
}

TEST(tcp_without_memory, ends_in_an_answer_or_an_end_and_the_next_host_is_served) {
    world w;
    const std::uint64_t failed = fulmar::test::fail_each_allocation([&](std::uint64_t nth) {
        (void)one_host(w);
        w.expect_empty();
        const fulmar::test::unwatched_memory enough;
        EXPECT_TRUE(one_host(w)) << "after allocation " << nth;
        w.expect_empty();
    });
    EXPECT_GT(failed, 5u);
}

// The table of requests that a Connect has made is replaced by the next one on that connection;
// when there is no memory for it, the former must still be there.
TEST(tcp_without_memory, a_second_connect_that_wants_more_room_keeps_the_table_that_is_there) {
    world w;
    for (const std::uint16_t entries : {std::uint16_t{16}, std::uint16_t{64}, std::uint16_t{128}}) {
        (void)fulmar::test::fail_each_allocation([&](std::uint64_t) {
            peer host(w);
            (void)host.connect(0, nvme::cntlid_dynamic, 16);
            (void)host.connect(0, nvme::cntlid_dynamic, entries);
            (void)host.connect(0, nvme::cntlid_dynamic, 128);
        });
        w.expect_empty();
    }
}

}  // namespace
}  // namespace fulmar::transport::tcp
