// Splits the bytes that a controller sends into PDUs, whatever way the stream was cut.
// Pure: no socket, no memory but a few words. Every length is checked before it is used.
#pragma once

#include <fulmar/nvme/crc32c.hpp>
#include <fulmar/nvme/tcp_pdu.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace fulmar::host {

/// The four bytes of a digest, as they are sent.
struct digest_field {
    nvme::le32 value;
};
static_assert(sizeof(digest_field) == nvme::tcp::digest_bytes);

/// What made the stream unusable: the FES for a term request, and where the bad field is.
struct parse_error {
    nvme::tcp::fatal_error fes{};
    std::uint32_t fei = 0;
};

/// consume() calls its sink, whose functions are
///   bool on_pdu(nvme::tcp::pdu_type, std::span<const std::byte> header, std::uint32_t data_bytes)
///       a whole header with a right digest (a term request: with what it carries)
///   void on_data(std::span<const std::byte> piece)
///       data of the PDU, in order, in pieces
///   bool on_data_end(bool digest_right)
///       after the last piece, also of a data PDU without data
/// False stops the parser: the sink has closed. One thread.
class pdu_parser {
  public:
    /// What ICReq and ICResp agreed on.
    struct settings {
        bool header_digest = false;
        bool data_digest = false;
        std::uint8_t hpda = 0;
    };

    void configure(settings s) noexcept { settings_ = s; }

    enum class outcome : std::uint8_t {
        need_more,  ///< what is left over is the start of a header: offer it again with more behind
        stopped,    ///< the sink said so
        bad,        ///< see error()
    };

    /// Eats from the front of `bytes`, and leaves in it what it did not eat: at most
    /// `leftover_max` bytes, unless it stopped.
    template <typename Sink>
    outcome consume(std::span<const std::byte>& bytes, Sink& sink) noexcept;

    /// Data of the current PDU that has not arrived yet. A caller may receive up to that much to
    /// where it belongs, and tell with `placed`; consume() goes on behind it.
    [[nodiscard]] std::uint32_t data_missing() const noexcept { return in_data_ ? missing_ : 0; }
    void placed(std::span<const std::byte> piece) noexcept {
        if (digested_) crc_.update(piece);
        missing_ -= static_cast<std::uint32_t>(piece.size());
    }
    [[nodiscard]] const parse_error& error() const noexcept { return error_; }

    static constexpr std::size_t leftover_max = 256;

  private:
    bool bad(nvme::tcp::fatal_error fes, std::uint32_t fei) noexcept {
        error_ = {fes, fei};
        return false;
    }
    /// Checks the common header, and finds where the data begins and how much of it there is.
    bool measure(const nvme::tcp::common_header& ch) noexcept;
    bool measure_data(const nvme::tcp::common_header& ch, std::uint32_t end) noexcept;
    bool check_header_digest(std::span<const std::byte> from) noexcept;
    template <typename Sink>
    bool consume_data(std::span<const std::byte>& bytes, Sink& sink, bool& go_on) noexcept;

    settings settings_;
    parse_error error_;
    nvme::crc32c crc_;
    nvme::tcp::pdu_type type_{};  // the PDU being looked at, and its measures
    std::uint32_t header_bytes_ = 0;
    std::uint32_t lead_bytes_ = 0;  // everything in front of the data
    std::uint32_t missing_ = 0;
    bool in_data_ = false;
    bool digested_ = false;  // a data digest follows
};

inline bool pdu_parser::measure(const nvme::tcp::common_header& ch) noexcept {
    using namespace nvme::tcp;
    using enum fatal_error;
    const auto type = static_cast<pdu_type>(ch.type);
    const bool known = type == pdu_type::capsule_resp || type == pdu_type::c2h_data ||
                       type == pdu_type::r2t || type == pdu_type::c2h_term_req;
    // A PDU of the host's, or one that only the handshake has, is out of sequence.
    if (!known)
        return parse_pdu_type(ch.type) ? bad(pdu_sequence_error, 0) : bad(invalid_header_field, 0);
    type_ = type;
    header_bytes_ = ch.hlen;
    if (ch.hlen != nvme::tcp::header_bytes(type))
        return bad(invalid_header_field, offsetof(common_header, hlen));
    const bool digest = settings_.header_digest && type != pdu_type::c2h_term_req;
    if (((ch.flags & pdu_flags::hdgstf) != 0) != digest || (ch.flags & ~allowed_flags(type)) != 0)
        return bad(invalid_header_field, offsetof(common_header, flags));
    const std::uint32_t end = header_bytes_ + (digest ? digest_bytes : 0);
    if (type == pdu_type::c2h_data) return measure_data(ch, end);
    // A term request carries the header it complains about; the others carry nothing.
    const std::uint32_t extra = type == pdu_type::c2h_term_req ? term_req_data_bytes_max : 0;
    if (ch.plen.value() < end || ch.plen.value() > end + extra)
        return bad(invalid_header_field, offsetof(common_header, plen));
    lead_bytes_ = ch.plen.value();
    if (extra != 0) header_bytes_ = lead_bytes_;
    missing_ = 0;
    digested_ = false;
    return true;
}

inline bool pdu_parser::measure_data(const nvme::tcp::common_header& ch,
                                     std::uint32_t end) noexcept {
    using namespace nvme::tcp;
    using enum fatal_error;
    const std::uint32_t plen = ch.plen.value();
    if (plen == end) {  // no data: no padding and no digest either
        lead_bytes_ = end;
        missing_ = 0;
        digested_ = false;
        return true;
    }
    if (ch.pdo < end || ch.pdo % alignment_bytes(settings_.hpda) != 0)
        return bad(invalid_header_field, offsetof(common_header, pdo));
    if (((ch.flags & pdu_flags::ddgstf) != 0) != settings_.data_digest)
        return bad(invalid_header_field, offsetof(common_header, flags));
    digested_ = settings_.data_digest;
    const std::uint32_t tail = digested_ ? digest_bytes : 0;
    if (plen <= ch.pdo + tail) return bad(invalid_header_field, offsetof(common_header, plen));
    lead_bytes_ = ch.pdo;
    missing_ = plen - ch.pdo - tail;
    return true;
}

template <typename Sink>
bool pdu_parser::consume_data(std::span<const std::byte>& bytes, Sink& sink, bool& go_on) noexcept {
    if (missing_ != 0) {
        const auto piece = bytes.first(std::min<std::size_t>(missing_, bytes.size()));
        if (piece.empty()) return false;
        if (digested_) crc_.update(piece);
        missing_ -= static_cast<std::uint32_t>(piece.size());
        bytes = bytes.subspan(piece.size());
        sink.on_data(piece);
        if (missing_ != 0) return false;
    }
    bool right = true;
    if (digested_) {
        const auto digest = nvme::read_wire<digest_field>(bytes);
        if (!digest) return false;
        right = digest->value.value() == crc_.value();
        bytes = bytes.subspan(sizeof(digest_field));
    }
    in_data_ = false;
    go_on = sink.on_data_end(right);
    return true;
}

template <typename Sink>
pdu_parser::outcome pdu_parser::consume(std::span<const std::byte>& bytes, Sink& sink) noexcept {
    for (;;) {
        if (in_data_) {
            bool go_on = true;
            if (!consume_data(bytes, sink, go_on)) return outcome::need_more;
            if (!go_on) return outcome::stopped;
        }
        const auto ch = nvme::read_wire<nvme::tcp::common_header>(bytes);
        if (!ch) return outcome::need_more;
        if (!measure(*ch)) return outcome::bad;
        if (bytes.size() < lead_bytes_) return outcome::need_more;
        if (settings_.header_digest && !check_header_digest(bytes)) return outcome::bad;
        const auto header = bytes.first(header_bytes_);
        bytes = bytes.subspan(lead_bytes_);
        in_data_ = type_ == nvme::tcp::pdu_type::c2h_data;
        if (digested_) crc_.reset();
        if (!sink.on_pdu(type_, header, missing_)) return outcome::stopped;
    }
}

}  // namespace fulmar::host
