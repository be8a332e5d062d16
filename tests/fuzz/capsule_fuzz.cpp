// fuzz-links: nvme engine mem backend core transport_tcp
// Any commands, with any data pointers and data, into a real core through a real connection (a
// socket pair), on this one thread. Whatever they were, the connection must come to an end, and
// nothing of it may be left: no buffer, no queue, no controller.
#include "transport/common/listener_counters.hpp"
#include "transport/tcp/socket_stream.hpp"
#include "transport/tcp/tcp_group.hpp"

#include <fulmar/backend/ram_device.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/mem/memory_source.hpp>
#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/tcp_pdu.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using namespace fulmar;
namespace tcp = nvme::tcp;

constexpr std::string_view subsystem_nqn = "nqn.2026-01.io.fulmar:fuzz";

void require(bool condition) {
    if (!condition) std::abort();
}

/// Bytes of the input, zeroes behind its end.
class source {
  public:
    source(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
    void fill(void* to, std::size_t bytes) {
        const std::size_t here = std::min(bytes, rest_.size());
        std::memset(to, 0, bytes);
        std::memcpy(to, rest_.data(), here);
        rest_ = rest_.subspan(here);
    }
    std::uint8_t byte() {
        std::uint8_t b = 0;
        fill(&b, 1);
        return b;
    }
    [[nodiscard]] bool empty() const { return rest_.empty(); }

  private:
    std::span<const std::uint8_t> rest_;
};

/// The target; made once.
class world {
  public:
    world() {
        log::initialise("off");
        core::target_spec spec;
        core::subsystem_spec& offered = spec.subsystems.emplace_back();
        offered.nqn = subsystem_nqn;
        offered.allow_any_host = true;
        for (std::uint32_t n = 1; n <= 2; ++n) {
            core::device_spec& device = spec.devices.emplace_back();
            device.name = std::to_string(n);
            device.type = "ram";
            device.size_bytes = 1u << 20;
            device.block_bytes = n == 1 ? 512 : 4096;
            core::namespace_spec& made = offered.namespaces.emplace_back();
            made.nsid = n;
            made.device = device.name;
        }
        bool started = false;
        target_.start(
            spec, [](const error&) { std::abort(); }, [&] { started = true; });
        for (int i = 0; i < 100 && !started; ++i) turn();
        require(started);
    }

    void turn() {
        control_->run_once();
        data_->run_once();
    }

    unique_fd connect() {
        int pair[2];
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
        counters_->count_in();
        group_.load.fetch_add(1);
        tcp_.adopt({.stream = std::make_unique<transport::tcp::socket_stream>(unique_fd(pair[0])),
                    .peer = "fuzz",
                    .local = "fuzz",
                    .counters = counters_});
        return unique_fd(pair[1]);
    }

    void expect_empty() {
        for (int i = 0; i < 10'000 && (!group_.empty() || counters_->connections != 0); ++i) turn();
        require(group_.empty() && counters_->connections == 0 && counters_->handshakes == 0);
        for (int i = 0; i < 20; ++i) turn();
        require(group_.pool().free_chunks() == group_.pool().total_chunks());
        require(group_.pool().waiters() == 0);
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
    transport::tcp::tcp_group tcp_{group_};
    std::shared_ptr<transport::common::listener_counters> counters_ =
        std::make_shared<transport::common::listener_counters>();
};

/// A host's end of a connection.
class peer {
  public:
    explicit peer(world& w) : world_(w), fd_(w.connect()) {
        tcp::ic_req hello{};
        hello.ch = tcp::make_header(tcp::pdu_type::ic_req, 0, false, false, 0);
        hello.maxr2t = 3u;
        send(nvme::wire_bytes(hello));
        (void)receive();
    }

    void send(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t put =
                ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (put > 0)
                bytes = bytes.subspan(static_cast<std::size_t>(put));
            else if (errno != EAGAIN)
                return;
            world_.turn();
        }
    }

    /// Turns, and takes in what comes; the last completion.
    nvme::cqe receive() {
        nvme::cqe last{};
        for (int i = 0; i < 8; ++i) {
            world_.turn();
            std::array<std::byte, 65536> buffer;
            const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (got > 0) held_.insert(held_.end(), buffer.begin(), buffer.begin() + got);
        }
        while (const auto ch = nvme::read_wire<tcp::common_header>(held_)) {
            const std::size_t plen = ch->plen.value();
            require(plen >= sizeof(*ch) && tcp::parse_pdu_type(ch->type).has_value());
            if (held_.size() < plen) break;
            if (ch->type == static_cast<std::uint8_t>(tcp::pdu_type::capsule_resp))
                last = nvme::read_wire<tcp::capsule_resp>(held_)->rccqe;
            if (ch->type == static_cast<std::uint8_t>(tcp::pdu_type::r2t))
                asks_.push_back(*nvme::read_wire<tcp::r2t>(held_));
            held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(plen));
        }
        return last;
    }

    void capsule(const nvme::sqe& sqe, std::span<const std::byte> data) {
        tcp::capsule_cmd pdu{};
        const auto bytes = static_cast<std::uint32_t>(data.size());
        pdu.ch = tcp::make_header(tcp::pdu_type::capsule_cmd, bytes, false, false, 0);
        pdu.ccsqe = sqe;
        std::vector<std::byte> all(pdu.ch.plen.value());
        std::memcpy(all.data(), &pdu, sizeof pdu);
        std::copy(data.begin(), data.end(), all.end() - static_cast<std::ptrdiff_t>(bytes));
        send(all);
    }

    /// Answers what was asked for; `how` bends it.
    void obey(std::uint8_t how) {
        for (const tcp::r2t& ask : std::exchange(asks_, {})) {
            std::uint32_t bytes = ask.r2tl.value();
            if ((how & 1) != 0) bytes = std::max(bytes / 2 & ~3u, 4u);
            tcp::h2c_data pdu{};
            pdu.ch = tcp::make_header(tcp::pdu_type::h2c_data, bytes, false, false, 0,
                                      tcp::pdu_flags::last_pdu);
            pdu.cccid = static_cast<std::uint16_t>(ask.cccid.value() + (how >> 1 & 1));
            pdu.ttag = static_cast<std::uint16_t>(ask.ttag.value() + (how >> 2 & 1));
            pdu.datao = ask.r2to.value() + (how >> 3 & 1) * 4u;
            pdu.datal = bytes;
            std::vector<std::byte> all(pdu.ch.plen.value());
            std::memcpy(all.data(), &pdu, sizeof pdu);
            send(all);
        }
    }

    std::uint16_t connect(std::uint16_t qid, std::uint16_t cntlid) {
        auto command = nvme::make_fabrics_command<nvme::connect_command>(nvme::fctype::connect, 0);
        command.qid = qid;
        command.sqsize = std::uint16_t{15};
        command.sgl1 = nvme::make_in_capsule_sgl(0, sizeof(nvme::connect_data));
        nvme::connect_data data{};
        data.hostid.fill(1);
        data.cntlid = cntlid;
        nvme::copy_nul_padded(data.subnqn, subsystem_nqn);
        nvme::copy_nul_padded(data.hostnqn, "nqn.2026-01.io.fulmar:fuzzer");
        capsule(nvme::to_sqe(command), nvme::wire_bytes(data));
        return static_cast<std::uint16_t>(receive().dw0.value());
    }

    void enable() {
        auto set =
            nvme::make_fabrics_command<nvme::property_set_command>(nvme::fctype::property_set, 1);
        set.ofst = nvme::register_offset::cc;
        set.value = nvme::controller_configuration{.en = true, .iosqes = 6, .iocqes = 4}.pack();
        capsule(nvme::to_sqe(set), {});
        (void)receive();
    }

  private:
    world& world_;
    unique_fd fd_;
    std::vector<std::byte> held_;
    std::vector<tcp::r2t> asks_;
};

// One command: a byte of how, its 64 bytes, and what of them is put right so that more is reached.
void one_command(source& from, peer& queue) {
    const std::uint8_t how = from.byte();
    nvme::sqe sqe{};
    from.fill(&sqe, sizeof sqe);
    std::vector<std::byte> data;
    if ((how & 1) != 0) sqe.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
    if ((how & 2) != 0) sqe.nsid = sqe.nsid.value() & 3u;
    if ((how & 4) != 0) {
        data.resize((from.byte() + 1u) * 32u);
        from.fill(data.data(), std::min<std::size_t>(data.size(), 64));
        if ((how & 8) != 0)
            sqe.sgl1 = nvme::make_in_capsule_sgl(0, static_cast<std::uint32_t>(data.size()));
    } else if ((how & 8) != 0) {
        sqe.sgl1 = nvme::make_transport_sgl((sqe.cdw12.value() % 256 + 1) * 512);
    }
    if ((how & 16) != 0 &&
        sqe.opcode == static_cast<std::uint8_t>(nvme::admin_opcode::get_log_page))
        sqe.cdw10 = (sqe.cdw10.value() & 0xffffu) | (sqe.sgl1.length.value() / 4 - 1) << 16;
    else if ((how & 16) != 0)
        sqe.set_cdw10_11(sqe.cdw10_11() & 0x7ff);
    queue.capsule(sqe, data);
    (void)queue.receive();
    if ((how & 32) == 0) queue.obey((how & 64) != 0 ? from.byte() : 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static world& the_world = *new world;
    if (size == 0 || size > 2048) return 0;
    source from(data, size);
    {
        const bool io = (from.byte() & 1) != 0;
        peer admin(the_world);
        const std::uint16_t cntlid = admin.connect(0, nvme::cntlid_dynamic);
        admin.enable();
        if (io) {
            peer queue(the_world);
            queue.connect(1, cntlid);
            while (!from.empty()) one_command(from, queue);
        } else {
            while (!from.empty()) one_command(from, admin);
        }
    }
    the_world.expect_empty();
    return 0;
}
