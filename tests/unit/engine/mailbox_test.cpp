#include <fulmar/engine/mailbox.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <thread>
#include <vector>

namespace fulmar::engine {
namespace {

struct note final : message {
    note()
        : message([](message& m) noexcept {
              auto& self = static_cast<note&>(m);
              if (self.order != nullptr) self.order->push_back(self.number);
              ++self.runs;
          }) {}
    int number = 0;
    int runs = 0;
    std::vector<int>* order = nullptr;
};

TEST(Mailbox, RunsInTheOrderOfThePosts) {
    mailbox box;
    std::vector<int> order;
    std::deque<note> notes(10);
    bool first = false;
    for (int i = 0; i < 10; ++i) {
        note& n = notes[static_cast<std::size_t>(i)];
        n.number = i;
        n.order = &order;
        EXPECT_EQ(box.push(n, first), post_result::posted);
        EXPECT_EQ(first, i == 0);
        EXPECT_TRUE(n.queued());
    }
    EXPECT_EQ(box.drain(3), 3u);
    EXPECT_FALSE(box.empty());
    EXPECT_EQ(box.drain(100), 7u);
    EXPECT_TRUE(box.empty());
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Mailbox, ANodeThatIsQueuedIsNotQueuedTwice) {
    mailbox box;
    note n;
    bool first = false;
    EXPECT_EQ(box.push(n, first), post_result::posted);
    EXPECT_EQ(box.push(n, first), post_result::already);
    EXPECT_FALSE(first);
    EXPECT_EQ(box.drain(10), 1u);
    EXPECT_EQ(n.runs, 1);
    EXPECT_FALSE(n.queued());
}

TEST(Mailbox, AHandlerMayPostItsOwnNodeAgain) {
    struct again final : message {
        explicit again(mailbox& b)
            : message([](message& m) noexcept {
                  auto& self = static_cast<again&>(m);
                  bool first = false;
                  if (++self.runs < 3) self.box.push(self, first);
              }),
              box(b) {}
        mailbox& box;
        int runs = 0;
    };
    mailbox box;
    again n(box);
    bool first = false;
    box.push(n, first);
    while (box.drain(1) != 0) {}
    EXPECT_EQ(n.runs, 3);
}

// Many writers; every post that was accepted runs once, and each writer's posts run in order.
TEST(Mailbox, LosesNothingBetweenThreads) {
    constexpr int writers = 4, each = 5000;
    struct numbered final : message {
        numbered()
            : message([](message& m) noexcept {
                  auto& self = static_cast<numbered&>(m);
                  EXPECT_EQ(self.number, (*self.expected)++);
              }) {}
        int number = 0;
        int* expected = nullptr;
    };
    mailbox box;
    std::array<int, writers> expected{};
    std::vector<std::deque<numbered>> nodes(writers);
    std::vector<std::jthread> threads;
    for (std::size_t w = 0; w < writers; ++w) {
        nodes[w].resize(each);
        threads.emplace_back([&, w] {
            for (int i = 0; i < each; ++i) {
                numbered& n = nodes[w][static_cast<std::size_t>(i)];
                n.number = i;
                n.expected = &expected[w];
                bool first = false;
                box.push(n, first);
            }
        });
    }
    int handled = 0;
    while (handled < writers * each) handled += static_cast<int>(box.drain(64));
    for (const int e : expected) EXPECT_EQ(e, each);
}

}  // namespace
}  // namespace fulmar::engine
