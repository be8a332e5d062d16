// Unit tests of fulmar/security/tls_socket.hpp: over a pair of sockets.
#include "unit/security/tls_pair.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/security/tls_socket.hpp>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

namespace fulmar::security {
namespace {

using outcome = tls_io::outcome;

class tls_socket_suite : public ::testing::Test {
  protected:
    tls_socket_suite() {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        host_end.reset(ends[0]);
        target_end.reset(ends[1]);
        const auto key = generate_tls_key(tls_suite::aes128_gcm_sha256);
        auto psk = derive_tls_psk(*key, "host", "subsystem", tls_identity_version::digest);
        book.add(*psk);
        host = std::move(*tls_socket::connect(host_end.get(), room, std::move(*psk)));
        target = std::move(*tls_socket::accept(target_end.get(), room, book));
    }
    void shake_hands() {
        for (int i = 0; i < 10; ++i) {
            if (!host->session().is_open()) (void)host->shake_hands();
            if (!target->session().is_open()) (void)target->shake_hands();
        }
        ASSERT_TRUE(host->session().is_open() && target->session().is_open());
    }
    static iovec piece(std::string& text) { return {text.data(), text.size()}; }
    static std::string receive_all(tls_socket& from) {
        std::string all;
        for (;;) {
            std::string some(100'000, '\0');
            iovec into{some.data(), some.size()};
            const tls_io got = from.receive({&into, 1});
            if (got.what != outcome::moved) return all;
            all.append(some, 0, got.bytes);
        }
    }
    std::vector<std::byte> memory{limits::tls_scratch_bytes};
    std::span<std::byte> room{memory};
    unique_fd host_end;
    unique_fd target_end;
    test::psk_book book;
    std::unique_ptr<tls_socket> host;
    std::unique_ptr<tls_socket> target;
};

TEST_F(tls_socket_suite, small_pieces_share_a_record) {
    shake_hands();
    std::string a(24, 'a');
    std::string b(4096, 'b');
    std::string c(16, 'c');
    std::string none;
    const std::uint64_t before = target->session().records();
    const std::array<iovec, 4> all{piece(a), piece(b), piece(none), piece(c)};
    EXPECT_EQ(target->send(all).bytes, a.size() + b.size() + c.size());
    EXPECT_EQ(target->session().records(), before + 1);
    EXPECT_EQ(receive_all(*host), a + b + c);
}

TEST_F(tls_socket_suite, what_arrives_goes_to_several_places) {
    shake_hands();
    std::string sent;
    for (int i = 0; i < 50'000; ++i) sent.push_back(static_cast<char>('a' + i % 23));
    const iovec from = piece(sent);
    ASSERT_EQ(host->send({&from, 1}).bytes, sent.size());
    std::string first(20'001, '\0');
    std::string second(100'000, '\0');
    std::array<iovec, 2> into{piece(first), piece(second)};
    std::size_t got = 0;
    for (tls_io io; (io = target->receive(into)).what == outcome::moved;) {
        got += io.bytes;
        const std::size_t more = std::min(io.bytes, into[0].iov_len);
        into[0] = {static_cast<char*>(into[0].iov_base) + more, into[0].iov_len - more};
        into[1] = {static_cast<char*>(into[1].iov_base) + io.bytes - more,
                   into[1].iov_len - io.bytes + more};
    }
    EXPECT_EQ(got, sent.size());
    EXPECT_EQ(first + second.substr(0, sent.size() - first.size()), sent);
}

// More than a socket takes: what is encrypted stays, the rest is not taken, and nothing is lost.
TEST_F(tls_socket_suite, keeps_what_the_socket_does_not_take) {
    shake_hands();
    std::string sent(8u << 20, '\0');
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 >> 3);
    std::size_t taken = 0;
    std::string arrived;
    bool held = false;
    while (arrived.size() < sent.size()) {
        iovec rest{sent.data() + taken, sent.size() - taken};
        const tls_io put = target->send({&rest, 1});
        ASSERT_NE(put.what, outcome::broken);
        taken += put.bytes;
        held = held || target->holds_output();
        ASSERT_LE(taken - arrived.size(), sent.size());
        arrived += receive_all(*host);
        ASSERT_TRUE(target->flush());
    }
    EXPECT_TRUE(held);
    EXPECT_EQ(arrived, sent);
}

TEST_F(tls_socket_suite, a_key_update_is_answered_at_once) {
    shake_hands();
    ASSERT_TRUE(host->update_keys());
    EXPECT_EQ(receive_all(*target), "");
    std::byte byte{};
    EXPECT_GT(::recv(host_end.get(), &byte, 1, MSG_PEEK), 0) << "the answer is on its way";
    EXPECT_EQ(receive_all(*host), "");
    std::string text = "after it";
    const iovec from = piece(text);
    ASSERT_EQ(target->send({&from, 1}).bytes, text.size());
    EXPECT_EQ(receive_all(*host), text);
}

// The bytes of a peer that never stops are taken in portions.
TEST_F(tls_socket_suite, one_call_ends_whatever_the_peer_sends) {
    shake_hands();
    std::string sent(512 * 1024, 'x');
    std::string into_text(2u << 20, '\0');
    const iovec from = piece(sent);
    const int size = 1 << 20;
    ::setsockopt(host_end.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    const std::size_t put = host->send({&from, 1}).bytes;
    iovec into = piece(into_text);
    std::size_t got = 0;
    for (tls_io io; (io = target->receive({&into, 1})).what == outcome::moved;) got += io.bytes;
    for (int i = 0; i < 40 && got < put; ++i) {
        (void)host->flush();
        for (tls_io io; (io = target->receive({&into, 1})).what == outcome::moved;) got += io.bytes;
    }
    EXPECT_EQ(got, put);
}

TEST_F(tls_socket_suite, the_end_of_the_peer_ends_it) {
    shake_hands();
    host->end_output();
    std::byte byte{};
    iovec into{&byte, 1};
    EXPECT_EQ(target->receive({&into, 1}).what, outcome::ended);
    host_end.reset();
    std::string text(1000, 'x');
    const iovec from = piece(text);
    EXPECT_EQ(target->send({&from, 1}).what, outcome::broken);
}

}  // namespace
}  // namespace fulmar::security
