#include <fulmar/host/pdu_parser.hpp>
#include <fulmar/host/raw_pdu.hpp>
#include <fulmar/nvme/crc32c.hpp>

#include <algorithm>
#include <cstring>

namespace fulmar::host {

using namespace nvme::tcp;

namespace {

/// Header, header digest, padding, data, data digest.
template <typename Pdu>
raw_bytes assemble(const Pdu& header, std::span<const std::byte> data, const wire_settings& w) {
    raw_bytes out(header.ch.plen.value());
    std::memcpy(out.data(), &header, sizeof header);
    if (w.header_digest) redo_header_digest(out);
    if (data.empty()) return out;
    std::memcpy(out.data() + header.ch.pdo, data.data(), data.size());
    if (w.data_digest) {
        const digest_field digest{nvme::le32(nvme::crc32c_of(data))};
        std::memcpy(out.data() + header.ch.pdo + data.size(), &digest, sizeof digest);
    }
    return out;
}

common_header header_for(pdu_type type, std::size_t data_bytes, const wire_settings& w,
                         std::uint8_t flags = 0) {
    return make_header(type, static_cast<std::uint32_t>(data_bytes), w.header_digest, w.data_digest,
                       w.pda, flags);
}

}  // namespace

raw_bytes make_ic_req(const ic_req_fields& fields) {
    ic_req pdu{};
    pdu.ch = header_for(pdu_type::ic_req, 0, {});
    pdu.pfv = fields.pfv;
    pdu.hpda = fields.hpda;
    pdu.dgst = fields.digests;
    pdu.maxr2t = fields.maxr2t;
    return assemble(pdu, {}, {});
}

raw_bytes make_capsule(const nvme::sqe& sqe, std::span<const std::byte> data,
                       const wire_settings& w) {
    capsule_cmd pdu{};
    pdu.ch = header_for(pdu_type::capsule_cmd, data.size(), w);
    pdu.ccsqe = sqe;
    return assemble(pdu, data, w);
}

raw_bytes make_h2c_data(const h2c_data_fields& fields, std::span<const std::byte> data,
                        const wire_settings& w) {
    h2c_data pdu{};
    pdu.ch = header_for(pdu_type::h2c_data, data.size(), w,
                        fields.last ? pdu_flags::last_pdu : std::uint8_t{0});
    pdu.cccid = fields.cid;
    pdu.ttag = fields.ttag;
    pdu.datao = fields.offset;
    pdu.datal = static_cast<std::uint32_t>(data.size());
    return assemble(pdu, data, w);
}

raw_bytes make_h2c_term_req(fatal_error fes, std::uint32_t fei,
                            std::span<const std::byte> offender) {
    term_req pdu{};
    pdu.ch = header_for(pdu_type::h2c_term_req, 0, {});
    pdu.ch.plen = static_cast<std::uint32_t>(sizeof pdu + offender.size());
    pdu.fes = static_cast<std::uint16_t>(fes);
    pdu.fei = fei;
    raw_bytes out = assemble(pdu, {}, {});
    std::copy(offender.begin(), offender.end(), out.begin() + sizeof pdu);
    return out;
}

void redo_header_digest(raw_bytes& pdu) {
    const auto ch = nvme::read_wire<common_header>(pdu);
    if (!ch || pdu.size() < ch->hlen + std::size_t{digest_bytes}) return;
    const auto header = std::span<const std::byte>(pdu).first(ch->hlen);
    overwrite(pdu, ch->hlen, digest_field{nvme::le32(nvme::crc32c_of(header))});
}

common_header raw_pdu::common() const noexcept {
    return nvme::read_wire<common_header>(bytes_).value_or(common_header{});
}

std::optional<nvme::cqe> raw_pdu::response() const noexcept {
    const auto pdu = as<capsule_resp>(pdu_type::capsule_resp);
    return pdu ? std::optional(pdu->rccqe) : std::nullopt;
}

std::span<const std::byte> raw_pdu::data() const noexcept {
    const common_header ch = common();
    const std::size_t tail = (ch.flags & pdu_flags::ddgstf) != 0 ? digest_bytes : 0;
    if (ch.pdo == 0 || bytes_.size() < ch.pdo + tail) return {};
    return std::span(bytes_).subspan(ch.pdo, bytes_.size() - ch.pdo - tail);
}

bool raw_pdu::header_digest_right() const noexcept {
    const common_header ch = common();
    if ((ch.flags & pdu_flags::hdgstf) == 0) return true;
    if (bytes_.size() < ch.hlen + std::size_t{digest_bytes}) return false;
    const auto digest = nvme::read_wire<digest_field>(std::span(bytes_).subspan(ch.hlen));
    return digest && digest->value.value() == nvme::crc32c_of(std::span(bytes_).first(ch.hlen));
}

bool raw_pdu::data_digest_right() const noexcept {
    if ((common().flags & pdu_flags::ddgstf) == 0) return true;
    const auto all = data();
    const auto digest = nvme::read_wire<digest_field>(
        std::span(bytes_).last(std::min<std::size_t>(digest_bytes, bytes_.size())));
    return digest && digest->value.value() == nvme::crc32c_of(all);
}

}  // namespace fulmar::host
