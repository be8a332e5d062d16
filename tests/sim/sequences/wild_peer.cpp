#include "wild_peer.hpp"

#include "../tcp_pdus.hpp"
#include "../world.hpp"

#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/discovery.hpp>
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/registers.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace fulmar::sim {

namespace pdu = nvme::tcp;

namespace {
constexpr std::size_t most_changes = 4;
constexpr std::size_t most_asks = 16;
constexpr std::size_t most_held = 1u << 20;
}  // namespace

void wild_peer::act(step_bytes& in) {
    using way = void (wild_peer::*)(step_bytes&);
    static constexpr std::array<way, 16> ways{
        &wild_peer::come,   &wild_peer::come,  &wild_peer::connect,  &wild_peer::connect,
        &wild_peer::enable, &wild_peer::admin, &wild_peer::admin,    &wild_peer::admin,
        &wild_peer::io,     &wild_peer::io,    &wild_peer::io,       &wild_peer::io,
        &wild_peer::obey,   &wild_peer::obey,  &wild_peer::anything, &wild_peer::leave};
    const std::uint8_t what = in.next();
    if (socket_ == nullptr || socket_->closed()) return come(in);
    (this->*ways[what % ways.size()])(in);
}

void wild_peer::behave() {
    if (socket_ != nullptr) socket_->set_reading(true);
}

// --- what it hears -------------------------------------------------------------------------------

void wild_peer::on_bytes(std::span<const std::byte> bytes) noexcept {
    world_.carried(bytes.size());
    held_.insert(held_.end(), bytes.begin(), bytes.end());
    for (auto next = first_pdu(held_); !next.empty(); next = first_pdu(held_)) {
        take(next);
        held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(next.size()));
    }
    if (held_.size() > most_held) world_.judge().complain("a PDU without an end");
}

void wild_peer::take(std::span<const std::byte> whole) {
    const auto ch = *nvme::read_wire<pdu::common_header>(whole);
    const auto type = pdu::parse_pdu_type(ch.type);
    const bool sound = type && ch.hlen == pdu::header_bytes(*type) && whole.size() >= ch.hlen;
    if (!sound) return world_.judge().complain("the target sent what is no PDU");
    if (*type == pdu::pdu_type::r2t && asks_.size() < most_asks)
        asks_.push_back(*nvme::read_wire<pdu::r2t>(whole));
    if (*type != pdu::pdu_type::capsule_resp) return;
    const nvme::cqe answer = nvme::read_wire<pdu::capsule_resp>(whole)->rccqe;
    if (nvme::is_success(nvme::status::from_field(answer.status_field.value())) &&
        answer.dw0.value() != 0)
        cntlid_ = static_cast<std::uint16_t>(answer.dw0.value());
}

// --- what it does --------------------------------------------------------------------------------

void wild_peer::come(step_bytes& in) {
    const std::uint8_t how = in.next();
    held_.clear();
    asks_.clear();
    static constexpr std::size_t segments[] = {1'460, 1'460, 65'536, 7};
    tcp_user& events = *this;
    socket_ = world_.tcp().connect(events, {.group = how >> 6,
                                            .segment = segments[how & 3u],
                                            .room = (how & 4) != 0 ? 4'096u : 65'536u});
    if ((how & 0x38) == 0x38) return;  // says nothing
    auto hello = make_ic_req({}, how & 7u);
    if ((how & 0x38) == 0x30) return send_bent(std::move(hello), in);
    send(hello);
    if ((how & 8) == 0) connect(in);
}

void wild_peer::connect(step_bytes& in) {
    const std::uint8_t how = in.next();
    auto command = nvme::make_fabrics_command<nvme::connect_command>(nvme::fctype::connect, 0);
    const bool io = (how & 1) != 0;
    command.qid = io ? static_cast<std::uint16_t>(how >> 1 & 3u) : std::uint16_t{0};
    command.sqsize = static_cast<std::uint16_t>((how & 8) != 0 ? 3 : 31);
    nvme::connect_data data{};
    data.hostid.fill(0xee);
    data.cntlid = io ? cntlid_ : nvme::cntlid_dynamic;
    const bool discovers = (how & 0xf0) == 0xf0;
    nvme::copy_nul_padded(data.subnqn, discovers ? nvme::discovery_nqn : subsystem_);
    nvme::copy_nul_padded(data.hostnqn, "nqn.2024-01.sim:wild-host");
    send_command(nvme::to_sqe(command), nvme::wire_bytes(data), in);
}

void wild_peer::enable(step_bytes& in) {
    auto set =
        nvme::make_fabrics_command<nvme::property_set_command>(nvme::fctype::property_set, 0);
    set.ofst = nvme::register_offset::cc;
    set.value =
        nvme::controller_configuration{.en = (in.next() & 3) != 0, .iosqes = 6, .iocqes = 4}.pack();
    send_command(nvme::to_sqe(set), {}, in);
}

void wild_peer::admin(step_bytes& in) {
    using op = nvme::admin_opcode;
    static constexpr op all[] = {op::identify,     op::get_log_page, op::set_features,
                                 op::get_features, op::abort,        op::async_event_request,
                                 op::keep_alive,   op::identify};
    const std::uint8_t what = in.next();
    nvme::sqe sqe{};
    sqe.opcode = what >= 0xf0 ? in.next() : static_cast<std::uint8_t>(all[what % std::size(all)]);
    sqe.nsid = what >> 3 & 3u;
    const std::uint32_t selector = in.next();
    sqe.cdw10 = selector | (std::uint32_t{in.next()} * 0x0101u) << 16;
    sqe.cdw11 = in.next();
    sqe.sgl1 = nvme::make_transport_sgl((1u + in.next()) * 64u);
    send_command(sqe, {}, in);
}

void wild_peer::io(step_bytes& in) {
    using op = nvme::io_opcode;
    static constexpr op all[] = {op::read,
                                 op::write,
                                 op::write,
                                 op::flush,
                                 op::compare,
                                 op::write_zeroes,
                                 op::dataset_management,
                                 op::verify};
    const std::uint8_t what = in.next();
    const std::uint8_t how = in.next();
    nvme::sqe sqe{};
    sqe.opcode = what >= 0xf0 ? how : static_cast<std::uint8_t>(all[what % std::size(all)]);
    sqe.nsid = what >> 3 & 3u;
    sqe.set_cdw10_11(std::uint64_t{in.next()} * 8);
    const std::uint32_t blocks = (how & 0x40) != 0 ? how : how & 7u;  // counted from 0
    sqe.cdw12 = blocks;
    const std::uint32_t bytes = (blocks + 1) * 512;
    if ((how & 0x80) != 0 && bytes <= 8'192) {
        sqe.sgl1 = nvme::make_in_capsule_sgl(0, bytes);
        return send_command(sqe, std::vector<std::byte>(bytes), in);
    }
    sqe.sgl1 = nvme::make_transport_sgl(bytes);
    send_command(sqe, {}, in);
}

void wild_peer::send_command(nvme::sqe sqe, std::span<const std::byte> data, step_bytes& in) {
    sqe.cid = next_cid_++;
    sqe.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
    if (!data.empty())
        sqe.sgl1 = nvme::make_in_capsule_sgl(0, static_cast<std::uint32_t>(data.size()));
    send_bent(make_capsule(sqe, data), in);
}

void wild_peer::send_bent(std::vector<std::byte> pdu, step_bytes& in) {
    const std::uint8_t how = in.next();
    if (how >= 0xc0)
        for (std::size_t left = 1 + how % most_changes; left != 0; --left) {
            const std::size_t low = in.next();
            const std::size_t at = (low | std::size_t{in.next()} << 8) % pdu.size();
            pdu[at] ^= static_cast<std::byte>(in.next());
        }
    if (how == 0xbf) pdu.resize(in.next() * pdu.size() / 256);
    send(pdu);
}

void wild_peer::send(std::span<const std::byte> bytes) {
    world_.carried(bytes.size());
    socket_->send(bytes);
}

void wild_peer::anything(step_bytes& in) {
    std::vector<std::byte> bytes;
    for (const std::uint8_t b : in.some(1 + in.pick(24))) bytes.push_back(std::byte{b});
    send(bytes);
}

// Data that was asked for, or not quite that.
void wild_peer::obey(step_bytes& in) {
    const std::uint8_t how = in.next();
    for (const pdu::r2t& ask : std::exchange(asks_, {})) {
        std::size_t bytes = ask.r2tl.value();
        if ((how & 0xe0) == 0x20) bytes = std::max<std::size_t>(bytes / 2 & ~3u, 4);
        pdu::h2c_data header{};
        header.cccid = static_cast<std::uint16_t>(ask.cccid.value() + ((how & 0xe0) == 0x40));
        header.ttag = static_cast<std::uint16_t>(ask.ttag.value() + ((how & 0xe0) == 0x60));
        header.datao = ask.r2to.value() + ((how & 0xe0) == 0x80 ? 4u : 0u);
        header.datal = static_cast<std::uint32_t>(bytes);
        const std::vector<std::byte> data(bytes);
        send_bent(make_pdu(pdu::pdu_type::h2c_data, header, data, {}, pdu::pdu_flags::last_pdu),
                  in);
    }
}

void wild_peer::leave(step_bytes& in) {
    switch (in.pick(6)) {
        case 0: return socket_->reset();
        case 1: return socket_->end();
        case 2: return socket_->set_reading(false);
        default: return socket_->set_reading(true);
    }
}

}  // namespace fulmar::sim
