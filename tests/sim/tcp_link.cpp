// A host that keeps to NVMe/TCP, and expects the same of the target.
#include "host_link.hpp"
#include "tcp_fabric.hpp"
#include "tcp_pdus.hpp"
#include "world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

namespace fulmar::sim {

namespace {

namespace pdu = nvme::tcp;

class tcp_link final : public host_link, tcp_user {
  public:
    tcp_link(world& w, link_user& user, const identity& who)
        : world_(w), user_(user), digests_{who.header_digest, who.data_digest} {
        tcp_user& events = *this;
        socket_ = w.tcp().connect(events, {.group = who.group, .segment = who.segment});
        send(make_ic_req(digests_, 0));
    }

    void submit(nvme::sqe command, std::span<const std::byte> data, bool in_capsule,
                std::uint32_t answer_bytes) override {
        if (finishing_) return;
        command.flags = nvme::make_flags(command.fused(), nvme::psdt::sgl);
        const auto length = static_cast<std::uint32_t>(data.size());
        command.sgl1 = !data.empty() && in_capsule
                           ? nvme::make_in_capsule_sgl(0, length)
                           : nvme::make_transport_sgl(data.empty() ? answer_bytes : length);
        if (!in_capsule && !data.empty())
            data_[command.cid.value()].assign(data.begin(), data.end());
        auto capsule =
            make_capsule(command, in_capsule ? data : std::span<const std::byte>{}, digests_);
        if (initialised_)
            send(capsule);
        else
            waiting_.push_back(std::move(capsule));
    }
    void cut() noexcept override { socket_->reset(); }
    void finish() override {
        finishing_ = true;
        if (initialised_) socket_->end();
    }
    void set_reading(bool reading) noexcept override { socket_->set_reading(reading); }
    void set_sending_data(bool sending) noexcept override {
        sending_data_ = sending;
        if (!sending) return;
        for (const pdu::r2t& ask : std::exchange(asked_, {})) send_data(ask);
    }
    [[nodiscard]] std::uint64_t number() const noexcept override { return socket_->number(); }

  private:
    void send(std::span<const std::byte> bytes) {
        world_.carried(bytes.size());
        socket_->send(bytes);
    }
    void complain(const std::string& what) {
        world_.judge().complain(fmt::format("connection {}: {}", number(), what));
    }
    void on_ended() noexcept override { user_.on_closed(); }
    void on_bytes(std::span<const std::byte> bytes) noexcept override {
        world_.carried(bytes.size());
        held_.insert(held_.end(), bytes.begin(), bytes.end());
        for (;;) {
            const auto next = first_pdu(held_);
            if (next.empty() || socket_->closed()) return;
            const std::vector<std::byte> whole(next.begin(), next.end());
            held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(whole.size()));
            take(whole);
        }
    }

    void take(std::span<const std::byte> whole) {
        const auto ch = *nvme::read_wire<pdu::common_header>(whole);
        const auto type = pdu::parse_pdu_type(ch.type);
        if (!type || ch.hlen != pdu::header_bytes(*type) || whole.size() < ch.hlen)
            return complain(fmt::format("a PDU of type {:02x}", ch.type));
        if (*type != pdu::pdu_type::ic_resp && *type != pdu::pdu_type::c2h_term_req)
            check_header_digest(whole, ch);
        switch (*type) {
            case pdu::pdu_type::ic_resp: return on_ic_resp(*nvme::read_wire<pdu::ic_resp>(whole));
            case pdu::pdu_type::capsule_resp:
                return on_response(nvme::read_wire<pdu::capsule_resp>(whole)->rccqe);
            case pdu::pdu_type::c2h_data: return on_data(whole);
            case pdu::pdu_type::r2t: return on_r2t(*nvme::read_wire<pdu::r2t>(whole));
            case pdu::pdu_type::c2h_term_req: return on_term(whole);
            case pdu::pdu_type::ic_req:
            case pdu::pdu_type::h2c_term_req:
            case pdu::pdu_type::capsule_cmd:
            case pdu::pdu_type::h2c_data: return complain("a PDU that hosts send");
        }
    }

    void check_header_digest(std::span<const std::byte> whole, const pdu::common_header& ch) {
        if (((ch.flags & pdu::pdu_flags::hdgstf) != 0) != digests_.header)
            return complain("a header digest, or none, against what was agreed");
        if (!digests_.header) return;
        const auto crc = nvme::read_wire<nvme::le32>(whole.subspan(ch.hlen));
        if (!crc || crc->value() != nvme::crc32c_of(whole.first(ch.hlen)))
            complain("a wrong header digest");
    }

    void on_ic_resp(const pdu::ic_resp& hello) {
        if (std::exchange(initialised_, true)) return complain("a second ICResp");
        most_data_ = std::max<std::uint32_t>(hello.maxh2cdata.value(), 4);
        for (const auto& capsule : std::exchange(waiting_, {})) send(capsule);
        if (finishing_) socket_->end();
    }

    void on_response(const nvme::cqe& answer) {
        data_.erase(answer.cid.value());
        std::erase_if(asked_,
                      [&](const pdu::r2t& r) { return r.cccid.value() == answer.cid.value(); });
        const std::vector<std::byte> data = std::exchange(answers_[answer.cid.value()], {});
        user_.on_answer(answer, data);
    }

    void on_data(std::span<const std::byte> whole) {
        const auto header = *nvme::read_wire<pdu::c2h_data>(whole);
        const std::size_t length = header.datal.value();
        const std::size_t digest = digests_.data ? pdu::digest_bytes : 0;
        if (header.ch.pdo + length + digest != whole.size())
            return complain("C2HData of another length than it says");
        const auto data = whole.subspan(header.ch.pdo, length);
        if (digests_.data) {
            const auto crc = nvme::read_wire<nvme::le32>(whole.subspan(header.ch.pdo + length));
            if (crc->value() != nvme::crc32c_of(data)) complain("a wrong data digest");
        }
        std::vector<std::byte>& answer = answers_[header.cccid.value()];
        if (header.datao.value() != answer.size()) complain("C2HData out of order");
        answer.insert(answer.end(), data.begin(), data.end());
        if ((header.ch.flags & pdu::pdu_flags::success) == 0) return;
        nvme::cqe good{};
        good.cid = header.cccid;
        on_response(good);
    }

    void on_r2t(const pdu::r2t& ask) {
        if (sending_data_)
            send_data(ask);
        else
            asked_.push_back(ask);
    }

    void send_data(const pdu::r2t& ask) {
        const auto of = data_.find(ask.cccid.value());
        const std::size_t offset = ask.r2to.value();
        const std::size_t length = ask.r2tl.value();
        if (of == data_.end() || length == 0 || offset + length > of->second.size())
            return complain("R2T for data that there is not");
        for (std::size_t at = 0; at < length;) {
            const std::size_t here = std::min<std::size_t>(length - at, most_data_);
            pdu::h2c_data header{};
            header.cccid = ask.cccid;
            header.ttag = ask.ttag;
            header.datao = static_cast<std::uint32_t>(offset + at);
            header.datal = static_cast<std::uint32_t>(here);
            const bool last = at + here == length;
            send(make_pdu(pdu::pdu_type::h2c_data, header,
                          std::span(of->second).subspan(offset + at, here), digests_,
                          last ? pdu::pdu_flags::last_pdu : std::uint8_t{0}));
            at += here;
        }
    }

    void on_term(std::span<const std::byte> whole) {
        const auto term = nvme::read_wire<pdu::term_req>(whole);
        complain(fmt::format("it is terminated for error {}", term->fes.value()));
    }

    world& world_;
    link_user& user_;
    tcp_digests digests_;
    std::unique_ptr<tcp_socket> socket_;
    std::vector<std::byte> held_;
    std::vector<std::vector<std::byte>> waiting_;           // capsules, for ICResp
    std::map<std::uint16_t, std::vector<std::byte>> data_;  // that may be asked for, by CID
    std::map<std::uint16_t, std::vector<std::byte>> answers_;
    std::vector<pdu::r2t> asked_;
    std::uint32_t most_data_ = 4'096;
    bool initialised_ = false;
    bool finishing_ = false;
    bool sending_data_ = true;
};

}  // namespace

std::unique_ptr<host_link> open_tcp_link(world& w, link_user& user, const identity& who) {
    return std::make_unique<tcp_link>(w, user, who);
}

}  // namespace fulmar::sim
