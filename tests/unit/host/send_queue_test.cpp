// Whatever the kernel takes at a time, the bytes leave in the order they were queued.
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/host/send_queue.hpp>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace fulmar::host {
namespace {

struct wire {
    wire() {
        int both[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, both), 0);
        out = unique_fd(both[0]);
        in = unique_fd(both[1]);
        const int little = 4096;
        ::setsockopt(out.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    }
    std::string drain() const {
        std::string all;
        char buffer[8192];
        for (;;) {
            const ssize_t got = ::recv(in.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (got <= 0) return all;
            all.append(buffer, static_cast<std::size_t>(got));
        }
    }
    unique_fd out;
    unique_fd in;
};

void copy(send_queue& q, const std::string& text) {
    std::memcpy(q.copy_in(text.size()), text.data(), text.size());
}

TEST(send_queue, sends_copies_and_references_in_order) {
    wire w;
    send_queue q(1024, 64);
    const std::string data = "DATA";
    copy(q, "one ");
    copy(q, "two ");
    q.refer_to(std::as_bytes(std::span(data)));
    copy(q, " three");
    EXPECT_EQ(q.flush(w.out.get()), send_queue::outcome::all_sent);
    EXPECT_TRUE(q.empty());
    EXPECT_EQ(w.drain(), "one two DATA three");
    EXPECT_EQ(q.queued_bytes(), 18u);
    EXPECT_EQ(q.sent_bytes(), 18u);
}

TEST(send_queue, keeps_what_the_kernel_did_not_take) {
    wire w;
    send_queue q(512, 256);
    std::vector<std::byte> data(3000);
    std::string expected;
    std::string seen;
    std::uint32_t salt = 1;
    for (int round = 0; round < 500; ++round) {
        while (q.room_for(100, 2)) {
            salt = salt * 1664525 + 1013904223;
            const std::string text(1 + salt % 100, static_cast<char>('a' + salt / 7 % 26));
            copy(q, text);
            expected += text;
            if (salt % 3 != 0) continue;
            const std::size_t bytes = salt / 11 % data.size();
            q.refer_to(std::span(data).first(bytes));
            expected.append(bytes, '\0');
        }
        ASSERT_NE(q.flush(w.out.get()), send_queue::outcome::failed);
        if (round % 3 == 0) seen += w.drain();
    }
    while (q.flush(w.out.get()) == send_queue::outcome::some_left) seen += w.drain();
    seen += w.drain();
    EXPECT_EQ(q.sent_bytes(), expected.size());
    EXPECT_TRUE(seen == expected);
}

TEST(send_queue, tells_when_the_peer_is_gone) {
    wire w;
    send_queue q(512, 16);
    w.in.reset();
    copy(q, "hello");
    EXPECT_EQ(q.flush(w.out.get()), send_queue::outcome::failed);
}

}  // namespace
}  // namespace fulmar::host
