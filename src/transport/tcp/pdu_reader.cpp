#include "pdu_reader.hpp"

#include <fulmar/nvme/crc32c.hpp>

#include <cstddef>

namespace fulmar::transport::tcp {

namespace tcp = nvme::tcp;
using outcome = read_pdu::outcome;
using tcp::pdu_type;

namespace {

read_pdu bad(tcp::fatal_error error, std::uint32_t information = 0) noexcept {
    read_pdu r;
    r.what = outcome::bad;
    r.error = error;
    r.error_information = information;
    return r;
}

read_pdu bad_field(std::size_t offset) noexcept {
    return bad(tcp::fatal_error::invalid_header_field, static_cast<std::uint32_t>(offset));
}

read_pdu wants(std::size_t bytes) noexcept {
    read_pdu r;
    r.bytes = bytes;
    return r;
}

bool from_host(pdu_type type) noexcept {
    return type == pdu_type::ic_req || type == pdu_type::capsule_cmd ||
           type == pdu_type::h2c_data || type == pdu_type::h2c_term_req;
}

bool may_carry_data(pdu_type type) noexcept {
    return type == pdu_type::capsule_cmd || type == pdu_type::h2c_data;
}

std::uint32_t stored_digest(std::span<const std::byte> at) noexcept {
    nvme::le32 value;
    std::memcpy(&value, at.data(), sizeof value);
    return value.value();
}

bool wants_header_digest(pdu_type type, const reader_rules& rules) noexcept {
    return rules.header_digest && type != pdu_type::ic_req && type != pdu_type::h2c_term_req;
}

std::uint32_t header_end_of(const tcp::common_header& ch) noexcept {
    const bool digest = (ch.flags & tcp::pdu_flags::hdgstf) != 0;
    return ch.hlen + (digest ? tcp::digest_bytes : 0);
}

// What the fixed header must look like for its type; `data_bytes` is filled in for PDUs that carry
// some.
read_pdu check_lengths(const tcp::common_header& ch, pdu_type type,
                       const reader_rules& rules) noexcept {
    read_pdu r;
    r.type = type;
    const std::uint32_t length = ch.plen.value();
    if (type == pdu_type::h2c_term_req) {
        if (length < ch.hlen || length > ch.hlen + tcp::term_req_data_bytes_max)
            return bad_field(offsetof(tcp::common_header, plen));
        r.what = outcome::whole;
        return r;
    }
    const std::uint32_t header_end = header_end_of(ch);
    if (length < header_end) return bad_field(offsetof(tcp::common_header, plen));
    if (!may_carry_data(type) || length == header_end) {
        if (length != header_end || type == pdu_type::h2c_data)
            return bad_field(offsetof(tcp::common_header, plen));
        r.what = outcome::whole;
        return r;
    }
    if (((ch.flags & tcp::pdu_flags::ddgstf) != 0) != rules.data_digest)
        return bad_field(offsetof(tcp::common_header, flags));
    // CPDA is 0 in our ICResp: data starts at any multiple of four behind the header.
    if (ch.pdo < header_end || ch.pdo % 4 != 0 || ch.pdo > tcp::header_bytes_max)
        return bad_field(offsetof(tcp::common_header, pdo));
    const std::uint32_t overhead = ch.pdo + (rules.data_digest ? tcp::digest_bytes : 0);
    if (length <= overhead) return bad_field(offsetof(tcp::common_header, plen));
    r.data_bytes = length - overhead;
    r.has_data_digest = rules.data_digest;
    if (type == pdu_type::capsule_cmd && r.data_bytes > rules.in_capsule_bytes)
        return bad_field(offsetof(tcp::common_header, plen));
    if (type == pdu_type::h2c_data && r.data_bytes > rules.h2c_data_bytes)
        return bad(tcp::fatal_error::data_transfer_limit_exceeded);
    r.what = outcome::whole;
    return r;
}

}  // namespace

read_pdu read_next(std::span<const std::byte> bytes, const reader_rules& rules) noexcept {
    const auto common = nvme::read_wire<tcp::common_header>(bytes);
    if (!common) return wants(sizeof(tcp::common_header));
    const auto type = tcp::parse_pdu_type(common->type);
    if (!type || !from_host(*type)) return bad_field(offsetof(tcp::common_header, type));
    if ((*type == pdu_type::ic_req) == rules.initialised && *type != pdu_type::h2c_term_req)
        return bad(tcp::fatal_error::pdu_sequence_error);
    if (common->hlen != tcp::header_bytes(*type))
        return bad_field(offsetof(tcp::common_header, hlen));
    const bool header_digest = (common->flags & tcp::pdu_flags::hdgstf) != 0;
    if ((common->flags & ~tcp::allowed_flags(*type)) != 0 ||
        header_digest != wants_header_digest(*type, rules))
        return bad_field(offsetof(tcp::common_header, flags));
    // The digest before the lengths: while it is wrong, they say nothing.
    if (header_digest) {
        const std::size_t header_end = header_end_of(*common);
        if (bytes.size() < header_end) return wants(header_end);
        const std::uint32_t stored = stored_digest(bytes.subspan(common->hlen));
        if (stored != nvme::crc32c_of(bytes.first(common->hlen)))
            return bad(tcp::fatal_error::header_digest_error, stored);
    }
    read_pdu r = check_lengths(*common, *type, rules);
    if (r.what == outcome::bad) return r;
    const bool capsule = *type == pdu_type::capsule_cmd;
    const std::size_t needed =
        *type == pdu_type::h2c_data ? std::size_t{common->pdo} : std::size_t{common->plen.value()};
    if (bytes.size() < needed) return wants(needed);
    r.header = bytes.first(common->hlen);
    r.bytes = needed;
    if (capsule && r.data_bytes != 0) {
        r.data = bytes.subspan(common->pdo, r.data_bytes);
        if (r.has_data_digest)
            r.data_digest_wrong =
                stored_digest(bytes.subspan(common->pdo + r.data_bytes)) != nvme::crc32c_of(r.data);
    }
    return r;
}

}  // namespace fulmar::transport::tcp
